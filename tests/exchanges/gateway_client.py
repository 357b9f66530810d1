"""A connected Bybit gateway with a listener that holds it to the rules of its port."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from bybit_messages import make_instruments
from fake_bybit import FakeBybit, eventually

from mlthon.basics.defs import TIF, ExecInstructions, GtwRejectCode, GtwStatus, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import (
    CancelOrderRequest,
    FillReport,
    ModifyOrderRequest,
    NewOrderRequest,
    OrderReport,
    RequestKind,
)
from mlthon.exchanges.bybit import BybitConnector
from mlthon.exchanges.bybit.gateway import BybitGateway
from mlthon.instruments.instrument import Instrument

BTC = make_instruments()["BTCUSDT"]


class Listener:
    """Remembers what it was told. Fails when it is called from inside a request."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.inside_call = False
        self.fills: dict[str, FillReport] = {}  # by execution id, as an engine keeps them
        self.orders: dict[str, OrderReport] = {}  # the last report, by wire id
        self.answers: Counter[tuple[RequestKind, str]] = Counter()

    def note(self, *event: Any) -> None:
        assert not self.inside_call, f"{event} came from inside a request"
        self.events.append(event)

    def on_status(self, status: GtwStatus, detail: str) -> None:
        self.note("status", status, detail)

    def on_request_accepted(self, kind: RequestKind, wire_id: str, exchange_id: str) -> None:
        self.answers[kind, wire_id] += 1
        self.note("accepted", kind, wire_id, exchange_id)

    def on_request_refused(self, kind: RequestKind, wire_id: str, code: GtwRejectCode, reason: str) -> None:
        assert reason
        self.answers[kind, wire_id] += 1
        self.note("refused", kind, wire_id, code, reason)

    def on_cancel_all_accepted(self, instrument: Instrument) -> None:
        self.note("cancel-all accepted", instrument)

    def on_cancel_all_refused(self, instrument: Instrument, code: GtwRejectCode, reason: str) -> None:
        self.note("cancel-all refused", instrument, code, reason)

    def on_order_report(self, report: OrderReport) -> None:
        self.orders[report.wire_id] = report
        self.note("order", report.wire_id, report.status, report)

    def on_fill_report(self, fill: FillReport) -> None:
        self.fills.setdefault(fill.exec_id, fill)
        self.note("fill", fill.exec_id, fill)

    def on_order_status(self, report: OrderReport) -> None:
        self.note("order status", report)

    def on_orders(self, reports: Sequence[OrderReport]) -> None:
        self.note("orders", [report.wire_id for report in reports])

    def on_position(self, instrument: Instrument, position: Qty) -> None:
        self.note("position", instrument.get_exch_instr_id(), position)

    def on_wallet(self, coin: str, total: Qty, available: Qty) -> None:
        self.note("wallet", coin, total, available)

    def on_account(self, user_id: str) -> None:
        self.note("account", user_id)

    def on_funding(self, instrument: Instrument, rate: float, next_ms: int) -> None:
        self.note("funding", instrument.get_exch_instr_id(), rate, next_ms)

    def on_query_refused(self, kind: RequestKind, code: GtwRejectCode, detail: str) -> None:
        self.note("query refused", kind, code, detail)

    def on_rate_limit(self, limit: int, remaining: int, reset_ms: int) -> None:
        self.note("rate limit", limit, remaining, reset_ms)

    def on_unsupported(self, kind: RequestKind) -> None:
        self.note("unsupported", kind)

    # -- for tests -------------------------------------------------------------------------------------------

    def named(self, *names: str) -> list[tuple[Any, ...]]:
        return [event for event in self.events if event[0] in names]

    def about(self, wire_id: str) -> list[str]:
        """The story of one order, in short: accepted, refused, and states."""
        story = []
        for event in self.named("accepted", "refused", "order"):
            if event[0] == "order" and event[1] == wire_id:
                story.append(event[2].name)
            elif event[0] != "order" and event[2] == wire_id:
                story.append(f"{event[1].name} {event[0]}")
        return story


class Client:
    """A gateway connected to a fake venue."""

    def __init__(self, venue: FakeBybit, **changes: Any) -> None:
        self.venue = venue
        self.listener = Listener()
        self.step_ns = 0  # by which our wall clock has been set
        self.connector = BybitConnector(venue.config(**changes), lambda: time.time_ns() + self.step_ns)
        self.gateway: BybitGateway = self.connector.gateway
        self.gateway.attach(self.listener)

    async def __aenter__(self) -> Client:
        await self.connector.load_instruments()
        await self.gateway.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connector.close()

    def call(self, request: Callable[..., None], *arguments: Any) -> None:
        """Make a request, during which the listener must not be called."""
        self.listener.inside_call = True
        try:
            request(*arguments)
        finally:
            self.listener.inside_call = False

    def new(self, wire_id: str, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "wire_id": wire_id,
            "instrument": BTC,
            "side": Side.Buy,
            "price": Price("50000"),
            "qty": Qty("0.010"),
            "order_type": OrderType.Limit,
            "tif": TIF.GTC,
            "exec_instr": ExecInstructions.Unset,
            "close_position": False,
        }
        self.call(self.gateway.send_new, NewOrderRequest(**(fields | changes)))

    def modify(self, wire_id: str, price: str | None = None, qty: str | None = None) -> None:
        request = ModifyOrderRequest(
            wire_id,
            "",
            BTC,
            None if price is None else Price(price),
            None if qty is None else Qty(qty),
        )
        self.call(self.gateway.send_modify, request)

    def cancel(self, wire_id: str) -> None:
        self.call(self.gateway.send_cancel, CancelOrderRequest(wire_id, "", BTC))

    async def settled(self, *wire_ids: str, times: int = 1) -> None:
        """Wait until the requests about orders have been answered."""
        for wire_id in wire_ids:
            await eventually(
                lambda wire_id=wire_id: (
                    sum(n for (_, about), n in self.listener.answers.items() if about == wire_id) >= times
                ),
                f"an answer about {wire_id}; events: {self.listener.events[-8:]}",
            )

    async def ready(self) -> None:
        await eventually(lambda: self.gateway.status is GtwStatus.ReadyToTrade, "ready to trade")
