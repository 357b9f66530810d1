"""What a strategy asked to be connected to: market data and order entry, by exchange and instrument."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from mlthon._core.dispatch import Dispatcher
from mlthon.api.istrat_env import InstrumentRef, MDSub
from mlthon.basics.defs import Exchange, GtwRejectCode
from mlthon.engine.instrument_table import InstrumentTable
from mlthon.engine.market_data import MarketData
from mlthon.engine.order_desk import OrderDesk
from mlthon.engine.ports import RequestKind
from mlthon.errors import InstrumentError
from mlthon.instruments.instrument import Instrument

__all__ = ["Subscriptions"]

log = logging.getLogger("mlthon.engine")

_CALLBACKS_OF = {
    MDSub.OrderBook: ("on_add_level", "on_modify_level", "on_delete_level"),
    MDSub.PriceLevelBook: ("on_add_price_level", "on_modify_price_level", "on_delete_price_level"),
    MDSub.LevelBook: ("on_add_level", "on_modify_level", "on_delete_level"),
    MDSub.BBO: ("on_best_bid_level_update", "on_best_ask_level_update"),
    MDSub.PublicTrades: ("on_public_trade",),
}
_STATUS_CALLBACKS = ("on_feed_handler_status", "on_gateway_status")


class Subscriptions:
    """Collects a strategy's requests and opens them once it has its parameters.

    A strategy of the current generation asks for nothing: it is then given ``defaults``, with the kinds of market
    data that it has callbacks for.
    """

    def __init__(
        self,
        instruments: InstrumentTable,
        feeds: Mapping[Exchange, MarketData],
        desks: Mapping[Exchange, OrderDesk],
        dispatcher: Dispatcher,
        defaults: Sequence[Instrument],
    ) -> None:
        self._instruments = instruments
        self._feeds = feeds
        self._desks = desks
        self._dispatcher = dispatcher
        self._defaults = defaults
        self._wanted: dict[Instrument, frozenset[MDSub]] = {}
        self._tradable: dict[Exchange, set[int]] = {}
        self._asked_for_data = self._asked_for_execution = False
        self._open = False

    def want_data(self, exchange: Exchange, refs: Iterable[InstrumentRef], md_subs: Iterable[MDSub]) -> None:
        """Add market data requests; what cannot be served is answered with on_request_reject."""
        self._asked_for_data = True
        subs = frozenset(md_subs)
        for instrument in self._resolve_all(RequestKind.MarketData, exchange, refs):
            self._wanted[instrument] = self._wanted.get(instrument, frozenset()) | subs
            if self._open:
                self._feeds[exchange].subscribe(instrument, subs)
                self._warn_of_missing_callbacks(subs)

    def want_execution(self, exchange: Exchange, refs: Iterable[InstrumentRef]) -> None:
        """Add instruments that orders may be sent for."""
        self._asked_for_execution = True
        tradable = self._resolve_all(RequestKind.ExecutionConnection, exchange, refs)
        if not tradable:
            return
        is_new = exchange not in self._tradable
        self._tradable.setdefault(exchange, set()).update(i.get_instrument_id() for i in tradable)
        if self._open and is_new:
            self._desks[exchange].announce()

    def why_not_tradable(self, exchange: Exchange, instrument: Instrument) -> str | None:
        """Say why orders for an instrument are refused; None: they are not."""
        if exchange not in self._tradable:
            return f"no execution connection to {exchange.name}: call request_execution_connection first"
        if instrument.get_instrument_id() not in self._tradable[exchange]:
            return (
                f"no execution connection for {instrument.get_instrument_name()}: "
                "name it in request_execution_connection"
            )
        return None

    def reject_stopped(self, kind: RequestKind, exchange: Exchange) -> None:
        """Answer a request of a strategy that has stopped."""
        self._reject(kind, exchange, GtwRejectCode.GtwNotReady, "the strategy is stopped")

    def open(self) -> None:
        """Announce the gateways and open the market data; a second time, announce everything anew."""
        if self._open:
            for exchange in self._tradable:
                self._desks[exchange].announce()
            for feed in self._feeds.values():
                feed.announce()
            return
        self._open = True
        self._fill_in_defaults()
        for exchange in self._tradable:
            self._desks[exchange].announce()
        for instrument, subs in self._wanted.items():
            self._feeds[instrument.get_exchange()].subscribe(instrument, subs)
        self._warn_of_missing_callbacks(frozenset().union(*self._wanted.values()))

    # -- details -----------------------------------------------------------------------------------------------

    def _fill_in_defaults(self) -> None:
        if not self._asked_for_data:
            subs = frozenset(
                sub
                for sub, callbacks in _CALLBACKS_OF.items()
                if sub is not MDSub.OrderBook  # who wants orders asks for them
                and any(self._dispatcher.defines(callback) for callback in callbacks)
            )
            if subs:
                self._wanted = dict.fromkeys(self._defaults, subs)
        if not self._asked_for_execution:
            for instrument in self._defaults:
                exchange = instrument.get_exchange()
                self._tradable.setdefault(exchange, set()).add(instrument.get_instrument_id())

    def _resolve_all(
        self, kind: RequestKind, exchange: Exchange, refs: Iterable[InstrumentRef]
    ) -> list[Instrument]:
        """The instruments that can be served; the others are rejected."""
        if exchange not in self._desks:
            self._reject(
                kind, exchange, GtwRejectCode.GtwNotReady, f"this run has no connection to {exchange.name}"
            )
            return []
        found = []
        for ref in refs:
            try:
                found.append(self._instruments.resolve(exchange, ref))
            except InstrumentError as error:
                self._reject(kind, exchange, GtwRejectCode.UnknownInstrument, str(error))
        return found

    def _reject(self, kind: RequestKind, exchange: Exchange, code: GtwRejectCode, detail: str) -> None:
        """Answer a request for a connection with on_request_reject."""
        log.warning("%s refused: %s", kind.value, detail)
        self._dispatcher.post("on_request_reject", exchange, code, detail, kind.value)

    def _warn_of_missing_callbacks(self, subs: frozenset[MDSub]) -> None:
        wanted = [name for sub in _CALLBACKS_OF if sub in subs for name in _CALLBACKS_OF[sub]]
        missing = [name for name in (*wanted, *_STATUS_CALLBACKS) if not self._dispatcher.defines(name)]
        if missing:
            log.warning(
                "%s is subscribed to more than it listens to: it does not define %s",
                type(self._dispatcher.strategy).__name__,
                ", ".join(missing),
            )
