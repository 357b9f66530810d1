from typing import Any

from typing_extensions import disjoint_base

@disjoint_base
class Recipient: ...

class Caller(Recipient): ...

@disjoint_base
class CompiledGateway(Recipient):
    status: Any
