"""What the strategy that comes along is to trade, where nobody says: the one instrument that there is."""

from __future__ import annotations

from collections.abc import Sequence

from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual
from mlthon.run.shared_options import DEMO_STRATEGY
from mlthon.strats.demo_settings import DEFAULTS

__all__ = ["demo_presets"]

# Its sizes are in coins by default; these are as many lots in contracts of a dollar.
_SIZES_IN_CONTRACTS = {
    "entry_qty_threshold": "25000",
    "exit_qty_threshold": "15000",
    "order_qty": "500",
    "max_position": "2500",
}


def demo_presets(strategy: str, instruments: Sequence[Instrument]) -> dict[str, object]:
    """Parameters of `DemoStrat` for a run of a single instrument; nothing for other strategies and runs."""
    if strategy != DEMO_STRATEGY or len(instruments) != 1:
        return {}
    [instrument] = instruments
    is_inverse = isinstance(instrument, Perpetual) and instrument.get_settlement_method() == "inverse"
    presets = {
        "exchange": instrument.get_exchange().name,
        "instrument": instrument.get_instrument_name(),
        **(_SIZES_IN_CONTRACTS if is_inverse else {}),
    }
    return {name: value for name, value in presets.items() if value != DEFAULTS[name]}
