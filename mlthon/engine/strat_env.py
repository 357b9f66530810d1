"""StratEnv: the environment that strategies are handed, the same one live, on paper and in a backtest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import TypeVar

from mlthon._core.dispatch import Dispatcher
from mlthon._core.order_entry import OrderRequests
from mlthon.api.istrat_env import (
    ClientOrdId,
    CmdCallback,
    InstrumentRef,
    IStratEnv,
    MDSub,
    PriceLike,
    QtyLike,
    TimerCallback,
)
from mlthon.basics.defs import Exchange
from mlthon.basics.mlt_enum import MltEnum
from mlthon.engine.access import Access, expect_exchange
from mlthon.engine.commands import Commands
from mlthon.engine.instrument_table import InstrumentTable
from mlthon.engine.market_data import MarketData
from mlthon.engine.order_desk import OrderDesk, OrderRecord
from mlthon.engine.order_entry import OrderEntry
from mlthon.engine.portfolio import Portfolio
from mlthon.engine.ports import Clock, Connector, Journal, RequestKind
from mlthon.engine.queries import Queries
from mlthon.engine.scheduler import Scheduler
from mlthon.engine.session import Session
from mlthon.engine.slow_callbacks import DEFAULT_BUDGET_MS, SlowCallbacks
from mlthon.engine.subscriptions import Subscriptions
from mlthon.engine.wire_ids import WireIds
from mlthon.instruments.instrument import Instrument

__all__ = ["StratEnv"]

log = logging.getLogger("mlthon.strategy")

_T = TypeVar("_T")


class StratEnv(OrderRequests, IStratEnv):
    """One strategy's environment, wired to the connectors of a run.

    Whoever drives it calls `session` to walk the strategy through its life, `scheduler.fire_due` when a timer is
    due, `dispatcher.deliver_waiting` when ``wake`` asked for it, and `commands.execute` for what people type.

    ``defaults`` are the instruments of a strategy that asks for none; ``params`` what on_strat_params_update
    delivers; ``wire_ids`` must be of this run alone; ``order_record`` is told the story of every order;
    ``slow_callback_ms`` is what user code may take before it is named in the log.
    """

    orders: OrderEntry

    def __init__(
        self,
        strategy: object,
        connectors: Mapping[Exchange, Connector],
        instruments: InstrumentTable,
        clock: Clock,
        *,
        wire_ids: WireIds,
        wake: Callable[[], None],
        params: Mapping[str, object] | None = None,
        defaults: Sequence[Instrument] = (),
        journal: Journal | None = None,
        order_record: OrderRecord | None = None,
        time_zone: tzinfo | None = None,
        slow_callback_ms: float = DEFAULT_BUDGET_MS,
    ) -> None:
        self._clock = clock
        self._instruments = instruments
        self._journal = journal
        self._thread = threading.get_ident()
        slow_callbacks = SlowCallbacks(slow_callback_ms)
        self.dispatcher = Dispatcher(
            strategy,
            journal=self._record_callback if journal is not None else None,
            wake=wake,
            on_slow=slow_callbacks.note,
            slow_ns=slow_callbacks.budget_ns,
        )
        self.scheduler = Scheduler(clock.now_ns, self.dispatcher.run, time_zone=time_zone)
        self.portfolio = Portfolio(instruments)
        self.feeds = {
            exchange: MarketData(exchange, connector.feed, self.dispatcher, clock.now_ns)
            for exchange, connector in connectors.items()
        }
        self.desks = {
            exchange: OrderDesk(
                exchange,
                connector.gateway,
                self.dispatcher,
                self.scheduler,
                self.portfolio.apply_fill,
                order_record,
            )
            for exchange, connector in connectors.items()
        }
        self._subscriptions = Subscriptions(instruments, self.feeds, self.desks, self.dispatcher, defaults)
        self.session = Session(
            self.dispatcher,
            self.scheduler,
            instruments=lambda: list(instruments),
            announce=self._subscriptions.open,
            params=params or {},
        )
        self.commands = Commands(self.session.start, self.session.stop, self.dispatcher.run)
        access = Access(self.session, instruments, self.desks)
        self._queries = Queries(access, self.dispatcher, self._record)
        self.orders = OrderEntry(
            access,
            self.dispatcher,
            wire_ids,
            self._subscriptions.why_not_tradable,
            self._record,
            order_record,
            is_recorded=journal is not None,
        )

    def update_instruments(self, changed: Sequence[Instrument]) -> None:
        """Take over instruments that are new or have changed, and tell the strategy of all instruments anew."""
        for instrument in changed:
            self._instruments.add(instrument)
            self.feeds[instrument.get_exchange()].update_instrument(instrument)
        self.session.tell_instruments()

    # -- lifecycle ---------------------------------------------------------------------------------------------

    def login(self, strat_name: str) -> None:
        self._record("login", strat_name=strat_name)
        self.session.login(strat_name)

    def send_stop_ack(self) -> None:
        self._record("send_stop_ack")
        self.session.acknowledge_stop()

    # -- market data and connections ---------------------------------------------------------------------------

    def subscribe_to_market_data(
        self, exchange: Exchange, instruments: Sequence[InstrumentRef], md_subs: Sequence[MDSub]
    ) -> None:
        expect_exchange(exchange)
        refs = _list_of("instruments", instruments)
        subs = _list_of("md_subs", md_subs)
        for sub in subs:
            if not isinstance(sub, MDSub):
                raise TypeError(f"md_subs: expected members of MDSub, got {sub!r}")
        if not subs:
            raise ValueError("md_subs: expected at least one member of MDSub, got none")
        self._record("subscribe_to_market_data", exchange=exchange, instruments=refs, md_subs=subs)
        if self.session.is_stopped:
            self._subscriptions.reject_stopped(RequestKind.MarketData, exchange)
            return
        self._subscriptions.want_data(exchange, refs, subs)

    def request_execution_connection(self, exchange: Exchange, instruments: Sequence[InstrumentRef]) -> None:
        expect_exchange(exchange)
        refs = _list_of("instruments", instruments)
        self._record("request_execution_connection", exchange=exchange, instruments=refs)
        if self.session.is_stopped:
            self._subscriptions.reject_stopped(RequestKind.ExecutionConnection, exchange)
            return
        self._subscriptions.want_execution(exchange, refs)

    @property
    def last_in_batch(self) -> bool:
        return self.dispatcher.last_in_batch

    # -- orders, but for new ones and single cancels, which are the base's -------------------------------------

    def send_modify_order(
        self,
        exchange: Exchange,
        client_ord_id: ClientOrdId,
        new_price: PriceLike | None,
        new_qty: QtyLike | None,
    ) -> None:
        self.orders.modify(exchange, client_ord_id, new_price, new_qty)

    def send_cancel_all(self, exchange: Exchange, instrument_id: InstrumentRef) -> None:
        self.orders.cancel_all(exchange, instrument_id)

    # -- questions ---------------------------------------------------------------------------------------------

    def fetch_order_status(
        self, exchange: Exchange, instrument_id: InstrumentRef, client_ord_id: ClientOrdId
    ) -> None:
        self._queries.order_status(exchange, instrument_id, client_ord_id)

    def fetch_orders_info(self, exchange: Exchange, instrument_id: InstrumentRef | None = None) -> None:
        self._queries.orders(exchange, instrument_id)

    def fetch_position_info(self, exchange: Exchange, instrument_id: InstrumentRef) -> None:
        self._queries.position(exchange, instrument_id)

    def fetch_wallet_info(self, exchange: Exchange, coin: str) -> None:
        self._queries.wallet(exchange, coin)

    def fetch_account_info(self, exchange: Exchange) -> None:
        self._queries.account(exchange)

    def fetch_funding_info(self, exchange: Exchange, instrument_id: InstrumentRef) -> None:
        self._queries.funding(exchange, instrument_id)

    # -- time, commands, people --------------------------------------------------------------------------------

    def setup_timer(self, duration_ms: int, callback_func: TimerCallback) -> None:
        self._record("setup_timer", duration_ms=duration_ms)
        self.scheduler.every(duration_ms, callback_func)

    def setup_daily_callback(self, hh_mm_ss: str, callback_func: TimerCallback) -> None:
        self._record("setup_daily_callback", hh_mm_ss=hh_mm_ss)
        self.scheduler.daily(hh_mm_ss, callback_func)

    def add_cmd_hook(self, cmd_name_str: str, callback_func: CmdCallback) -> None:
        self._record("add_cmd_hook", cmd_name_str=cmd_name_str)
        self.commands.hook(cmd_name_str, callback_func)

    def publish_telegram(self, msg: str) -> None:
        if not isinstance(msg, str):
            raise TypeError(f"msg: expected a str, got {msg!r}")
        self._record("publish_telegram", msg=msg)
        log.info("no Telegram channel; the message was: %s", msg)
        # The callback has to name an exchange, and a channel belongs to none: the first of the run stands for it.
        self.dispatcher.post("on_unsupported_op", next(iter(self.desks), None), "PublishTelegram")

    # -- details -----------------------------------------------------------------------------------------------

    def _record(self, name: str, /, **arguments: object) -> None:
        """Note a request, before anything comes of it; raises RuntimeError on a thread other than the engine's."""
        if threading.get_ident() != self._thread:
            raise RuntimeError(
                f"env.{name} was called from another thread; a strategy runs on one: "
                "hand results over to a timer or a callback"
            )
        if self._journal is not None:
            self._journal.record_request(self._clock.now_ns(), name, arguments)

    def _record_callback(self, name: str, arguments: tuple[object, ...]) -> None:
        assert self._journal is not None
        self._journal.record_callback(self._clock.now_ns(), name, arguments)


def _list_of(name: str, values: Sequence[_T]) -> list[_T]:
    """A list of what was given; a bare string is a mistake that would be taken letter by letter."""
    if isinstance(values, str | bytes | MltEnum) or not isinstance(values, Iterable):
        raise TypeError(f"{name}: expected a list, got {values!r}; did you mean [{values!r}]?")
    return list(values)
