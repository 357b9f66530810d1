"""A strategy environment without sockets: a gateway and a feed that do what the test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import (
    TIF,
    CancelCode,
    Exchange,
    ExecInstructions,
    GtwStatus,
    InstrumentType,
    OrderStatus,
    OrderType,
    Side,
)
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.clock import ManualClock
from mlthon.engine.instrument_table import InstrumentTable
from mlthon.engine.ports import (
    CancelOrderRequest,
    FeedListener,
    FillReport,
    GatewayListener,
    ModifyOrderRequest,
    NewOrderRequest,
    OrderReport,
)
from mlthon.engine.strat_env import StratEnv
from mlthon.engine.wire_ids import WireIds
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.instrument_ids import instrument_id
from mlthon.instruments.perpetual import Perpetual

START_NS = 1_700_000_000_000_000_000


def perpetual(symbol: str) -> Perpetual:
    base, quote = symbol.split("-")
    name = f"byt:perp:{symbol}"
    return Perpetual(
        instrument_id=instrument_id(Exchange.Bybit, name),
        instrument_type=InstrumentType.Perpetual,
        exch_instr_id=base + quote,
        exchange=Exchange.Bybit,
        mlt_symbol=symbol,
        price_tick_rules="0.1",
        quantity_tick_rules="0.001",
        multiplier="1",
        min_quantity="0.001",
        base_currency=base,
        quote_currency=quote,
        price_precision=1,
        quantity_precision=3,
        instrument_name=name,
        min_notional="5",
    )


class ScriptedGateway:
    """Remembers what it was asked; answers only when the test makes it."""

    def __init__(self) -> None:
        self.status = GtwStatus.ReadyToTrade
        self.asked: list[object] = []
        self.listener: GatewayListener

    def attach(self, listener: GatewayListener) -> None:
        self.listener = listener

    async def connect(self) -> None: ...

    async def close(self) -> None: ...

    def send_new(self, request: NewOrderRequest) -> None:
        self.asked.append(request)

    def send_modify(self, request: ModifyOrderRequest) -> None:
        self.asked.append(request)

    def send_cancel(self, request: CancelOrderRequest) -> None:
        self.asked.append(request)

    def send_cancels(self, requests: Sequence[CancelOrderRequest]) -> None:
        for request in requests:
            self.send_cancel(request)

    def send_cancel_all(self, instrument: Instrument) -> None:
        self.asked.append(("cancel_all", instrument))

    def recover_fills(self, instrument: Instrument, wire_id: str, exchange_id: str) -> None:
        self.asked.append(("recover_fills", wire_id, exchange_id))

    def fetch_order_status(self, instrument: Instrument, wire_id: str, exchange_id: str) -> None:
        self.asked.append(("order_status", wire_id))

    def fetch_orders(self, instrument: Instrument | None) -> None:
        self.asked.append(("orders", instrument))

    def fetch_position(self, instrument: Instrument) -> None:
        self.asked.append(("position", instrument))

    def fetch_wallet(self, coin: str) -> None:
        self.asked.append(("wallet", coin))

    def fetch_account(self) -> None:
        self.asked.append(("account",))

    def fetch_funding(self, instrument: Instrument) -> None:
        self.asked.append(("funding", instrument))

    # -- what the test makes the venue say ---------------------------------------------------------------------

    def last_new(self) -> NewOrderRequest:
        return [asked for asked in self.asked if isinstance(asked, NewOrderRequest)][-1]

    def report(
        self, request: NewOrderRequest, status: OrderStatus, cum: str = "0", **changes: object
    ) -> None:
        values: dict[str, object] = {
            "wire_id": request.wire_id,
            "exchange_id": "x-" + request.wire_id,
            "instrument_id": request.instrument.get_instrument_id(),
            "side": request.side,
            "price": request.price or Price("0"),
            "qty": request.qty,
            "cum_qty": Qty(cum),
            "status": status,
            "order_type": request.order_type,
            "tif": request.tif,
            "exec_instr": request.exec_instr,
        }
        if status is OrderStatus.Cancelled:
            values["cancel_code"] = CancelCode.CanceledByUser
        self.listener.on_order_report(OrderReport(**{**values, **changes}))  # type: ignore[arg-type]

    def fill(
        self,
        request: NewOrderRequest,
        exec_id: str,
        qty: str,
        price: str | None = None,
        order_qty: str | None = None,
    ) -> None:
        self.listener.on_fill_report(
            FillReport(
                exec_id=exec_id,
                wire_id=request.wire_id,
                exchange_id="x-" + request.wire_id,
                instrument_id=request.instrument.get_instrument_id(),
                side=request.side,
                price=Price(price) if price is not None else request.price or Price("100"),
                qty=Qty(qty),
                fee=MLDecimal("0.01"),
                fee_currency="USDT",
                is_maker=True,
                exec_ms=1,
                recv_ms=2,
                order_qty=None if order_qty is None else Qty(order_qty),
            )
        )


class ScriptedFeed:
    """Remembers what was subscribed; the test speaks for it through `listener`."""

    def __init__(self) -> None:
        self.subscribed: list[tuple[str, frozenset[MDSub]]] = []
        self.listener: FeedListener

    def attach(self, listener: FeedListener) -> None:
        self.listener = listener

    async def connect(self) -> None: ...

    async def close(self) -> None: ...

    def unsupported_subs(self) -> frozenset[MDSub]:
        return frozenset({MDSub.OrderBook})

    def subscribe(self, instrument: Instrument, subs: frozenset[MDSub]) -> None:
        self.subscribed.append((instrument.get_instrument_name(), subs))


class ScriptedConnector:
    exchange = Exchange.Bybit

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self.feed = ScriptedFeed()
        self.gateway = ScriptedGateway()
        self.instruments = instruments

    async def load_instruments(self) -> list[Instrument]:
        return list(self.instruments)

    def watch_instruments(self, tell: Callable[[Sequence[Instrument]], None]) -> None: ...

    async def close(self) -> None: ...


class Recorder:
    """A strategy that logs in, writes down every callback, and reacts as the test tells it to."""

    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []
        self.reactions: dict[str, object] = {}
        self.env: StratEnv

    def __getattr__(self, name: str) -> object:
        if not name.startswith("on_"):
            raise AttributeError(name)

        def callback(*args: object) -> None:
            self.seen.append((name, *args))
            reaction = self.reactions.get(name)
            if callable(reaction):
                reaction(*args)

        return callback

    def on_framework_connected(self, env: StratEnv) -> None:
        self.env = env
        self.seen.append(("on_framework_connected",))
        env.login("recorder")

    def names(self) -> list[object]:
        return [seen[0] for seen in self.seen]

    def last(self, name: str) -> tuple[object, ...]:
        return [seen for seen in self.seen if seen[0] == name][-1]


class Bench:
    """An environment around a strategy, with everything at hand that a test may want to touch."""

    def __init__(self, strategy: object, symbols: Sequence[str] = ("BTC-USDT",), **options: object) -> None:
        self.instruments = [perpetual(symbol) for symbol in symbols]
        self.connector = ScriptedConnector(self.instruments)
        self.gateway = self.connector.gateway
        self.feed = self.connector.feed
        self.clock = ManualClock(START_NS)
        self.table = InstrumentTable(self.instruments)
        self.wakes = 0
        self.strategy = strategy
        self.env = StratEnv(
            strategy,
            {Exchange.Bybit: self.connector},
            self.table,
            self.clock,
            wire_ids=WireIds("test"),
            wake=self._wake,
            defaults=self.instruments,
            **options,
        )

    def _wake(self) -> None:
        self.wakes += 1

    def start(self) -> Bench:
        self.env.session.connect(self.env)
        self.env.session.start("")
        return self

    def advance_ms(self, by_ms: int) -> None:
        self.clock.advance(by_ms * 1_000_000)
        self.env.scheduler.fire_due()

    def order(self, client_id: str | int | None = "a1", **changes: object) -> int:
        values: dict[str, object] = {
            "exchange": Exchange.Bybit,
            "instrument_id": "byt:perp:BTC-USDT",
            "side": Side.Buy,
            "price": "100.0",
            "qty": "10",
            "exec_instr": ExecInstructions.Unset,
            "ord_type": OrderType.Limit,
            "time_in_force": TIF.GTC,
            "close_position": False,
        }
        number = self.env.send_new_order(client_id, **{**values, **changes})  # type: ignore[arg-type]
        self.env.dispatcher.deliver_waiting()
        return number


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def bench(recorder: Recorder) -> Bench:
    """A started recorder."""
    started = Bench(recorder).start()
    recorder.seen.clear()
    return started


@pytest.fixture
def make_bench() -> type[Bench]:
    return Bench


@pytest.fixture
def make_recorder() -> type[Recorder]:
    return Recorder
