"""Perpetual: a contract that never expires and pays funding instead."""

from __future__ import annotations

from typing import Unpack

from mlthon.instruments.instrument import Instrument, InstrumentFields

__all__ = ["Perpetual"]


class Perpetual(Instrument):
    """A contract on an underlying, without an expiry.

    `underlying_ins_id` is the id of the instrument it follows; `settlement_method` is ``"linear"`` (settled
    in the quote currency) or ``"inverse"`` (settled in the base currency). All else as in `Instrument`.

    >>> from mlthon.basics.defs import Exchange, InstrumentType
    >>> btc = Perpetual(instrument_id=30000001000, instrument_type=InstrumentType.Perpetual,
    ...                 exchange=Exchange.Bybit, mlt_symbol="BTC-USDT", settlement_method="linear")
    >>> btc
    Perpetual(instrument_id=30000001000, instrument_name='byt:perp:BTC-USDT')
    """

    def __init__(
        self,
        underlying_ins_id: int | None = None,
        settlement_method: str | None = None,
        **kwargs: Unpack[InstrumentFields],
    ) -> None:
        super().__init__(**kwargs)
        self._underlying_ins_id_ = underlying_ins_id
        self._settlement_method_ = settlement_method

    def get_underlying_ins_id(self) -> int | None:
        """The id of the instrument it follows."""
        return self._underlying_ins_id_

    def get_settlement_method(self) -> str | None:
        """How it is settled: ``"linear"`` or ``"inverse"``."""
        return self._settlement_method_
