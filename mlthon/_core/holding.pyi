from typing_extensions import disjoint_base

from mlthon._core.fixed import MLDecimal, Qty

@disjoint_base
class Holding:
    size: Qty
    entry_value: MLDecimal
    realised: MLDecimal
    fees: MLDecimal
