"""Whether a request can be served now: the checks that orders and questions share."""

from __future__ import annotations

from mlthon.api.istrat_env import InstrumentRef
from mlthon.basics.defs import Exchange, GtwRejectCode, GtwStatus
from mlthon.engine.instrument_table import InstrumentTable
from mlthon.engine.order_desk import OrderDesk
from mlthon.engine.session import Session
from mlthon.errors import InstrumentError
from mlthon.instruments.instrument import Instrument

__all__ = ["Access", "Refused", "expect_exchange"]


class Refused(Exception):
    """A request that is answered with a reject instead of being sent."""

    def __init__(self, code: GtwRejectCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Access:
    """The venues of a run, as far as a strategy may reach them."""

    def __init__(
        self, session: Session, instruments: InstrumentTable, desks: dict[Exchange, OrderDesk]
    ) -> None:
        self.session = session
        self.instruments = instruments
        self.desks = desks

    def desk(self, exchange: Exchange) -> OrderDesk:
        """The desk of an exchange that takes requests now; raises Refused."""
        if not self.session.may_send:
            raise Refused(GtwRejectCode.GtwNotReady, f"the strategy is {self.session.state.value}")
        desk = self.desks.get(exchange)
        if desk is None:
            raise Refused(GtwRejectCode.GtwNotReady, f"this run has no connection to {exchange.name}")
        status = desk.gateway.status
        if status is not GtwStatus.ReadyToTrade:
            raise Refused(GtwRejectCode.GtwNotReady, f"the gateway of {exchange.name} is {status.name}")
        return desk

    def instrument(self, exchange: Exchange, ref: InstrumentRef) -> Instrument:
        """The instrument a strategy named; raises Refused, and TypeError for what can name none."""
        try:
            return self.instruments.resolve(exchange, ref)
        except InstrumentError as error:
            raise Refused(GtwRejectCode.UnknownInstrument, str(error)) from None


def expect_exchange(exchange: object) -> None:
    """Raise TypeError unless it is a member of Exchange."""
    if not isinstance(exchange, Exchange):
        raise TypeError(f"exchange: expected a member of Exchange, got {exchange!r}")
