"""Future: a contract that expires."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack

from mlthon.instruments.instrument import Instrument, InstrumentFields

__all__ = ["Future"]


class Future(Instrument):
    """A contract on an underlying, settled on a date.

    `underlying_ins_id` is the id of the instrument it follows; `expiration_date_utc` an aware datetime in
    UTC; `settlement_method` is ``"cash"`` or ``"physical"``. All else as in `Instrument`.

    >>> from datetime import UTC, datetime
    >>> dec = Future(mlt_symbol="BTC-27DEC24", expiration_date_utc=datetime(2024, 12, 27, 8, tzinfo=UTC))
    >>> dec.get_expiration_date_utc().isoformat()
    '2024-12-27T08:00:00+00:00'
    """

    def __init__(
        self,
        underlying_ins_id: int | None = None,
        expiration_date_utc: datetime | None = None,
        settlement_method: str | None = None,
        **kwargs: Unpack[InstrumentFields],
    ) -> None:
        super().__init__(**kwargs)
        if expiration_date_utc is not None and expiration_date_utc.utcoffset() is None:
            raise ValueError(
                "expiration_date_utc: expected a datetime with a time zone, as datetime(..., tzinfo=UTC), got"
                f" {expiration_date_utc!r}"
            )
        self._underlying_ins_id_ = underlying_ins_id
        self._expiration_date_utc_ = expiration_date_utc
        self._settlement_method_ = settlement_method

    def get_underlying_ins_id(self) -> int | None:
        """The id of the instrument it follows."""
        return self._underlying_ins_id_

    def get_expiration_date_utc(self) -> datetime | None:
        """When it expires, as an aware datetime."""
        return self._expiration_date_utc_

    def get_settlement_method(self) -> str | None:
        """How it is settled: ``"cash"`` or ``"physical"``."""
        return self._settlement_method_
