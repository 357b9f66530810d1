"""A made-up run: a mid that walks, orders, fills, funding; written to a trace as the backtest's loop would."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from decimal import Decimal

from mlthon.backtest.trace import Trace
from mlthon.basics.defs import Exchange, GtwRejectCode, InstrumentType, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import FillReport, ModifyOrderRequest, OrderEvent, RequestKind
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual

START_NS = 1_700_000_000_000_000_000
NS_PER_S = 1_000_000_000


def perpetual(number: int = 0, *, method: str = "linear", symbol: str = "BTC-USDT") -> Perpetual:
    base, quote = symbol.split("-")
    return Perpetual(
        instrument_id=30_000_000_000 + number,
        instrument_type=InstrumentType.Perpetual,
        exch_instr_id=base + quote,
        exchange=Exchange.Bybit,
        mlt_symbol=symbol,
        price_tick_rules="0.1",
        quantity_tick_rules="0.001",
        multiplier="1",
        base_currency=base,
        quote_currency=quote,
        settlement_method=method,
    )


@dataclass(slots=True)
class StoryOrder:
    """As much of a `DeskOrder` as its record sees."""

    client_id: str
    wire_id: str
    instrument: Instrument
    side: Side
    price: Price
    qty: Qty
    cum_qty: Qty = field(default_factory=lambda: Qty("0"))
    modify_pending: ModifyOrderRequest | None = None
    record_row: int = -1

    @property
    def leaves_qty(self) -> Qty:
        return self.qty - self.cum_qty


@dataclass(slots=True)
class Noted:
    """A fill as the naive reading has it."""

    ns: int
    instrument: int
    is_buy: bool
    price: Decimal
    qty: Decimal
    fee: Decimal
    is_maker: bool
    order: str
    sent_ns: int
    mid: Decimal  # when it was made


@dataclass
class Run:
    """Drives a trace, and keeps what happened in plain lists beside it."""

    seed: int
    instruments: list[Instrument]
    every_ns: int = NS_PER_S
    now_ns: int = START_NS
    mids: dict[int, Price] = field(default_factory=dict)
    fills: list[Noted] = field(default_factory=list)
    history: list[tuple[int, int, Decimal]] = field(default_factory=list)  # every change of a mid
    funding: list[tuple[int, int, Decimal]] = field(default_factory=list)
    steps: list[tuple[int, OrderEvent, str, GtwRejectCode | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.trace = Trace(
            self.instruments,
            self.mids.get,
            lambda: self.now_ns,
            every_ns=self.every_ns,
        )
        self.made = 0

    def advance_to(self, ns: int) -> None:
        """As the loop does: what is due is sampled before the first event at or after it."""
        self.now_ns = ns
        if self.trace.next_due_ns <= ns:
            self.trace.sample(ns)

    def move_mid(self, number: int, mid: str) -> None:
        self.mids[self.instruments[number].get_instrument_id()] = Price(mid)
        self.history.append((self.now_ns, number, Decimal(mid)))

    def send(self, number: int, is_buy: bool, price: str, qty: str) -> StoryOrder:
        self.made += 1
        order = StoryOrder(
            f"c{self.made}",
            f"w{self.made}",
            self.instruments[number],
            Side.Buy if is_buy else Side.Sell,
            Price(price),
            Qty(qty),
        )
        self.step(OrderEvent.Sent, order)
        return order

    def step(self, event: OrderEvent, order: StoryOrder, code: GtwRejectCode | None = None) -> None:
        self.trace.record_order(event, order, code)
        self.steps.append((self.now_ns, event, order.client_id, code))

    def fill(self, order: StoryOrder, qty: str, *, is_maker: bool, fee: str, sent_ns: int) -> FillReport:
        report = FillReport(
            exec_id="",
            wire_id=order.wire_id,
            exchange_id="",
            instrument_id=order.instrument.get_instrument_id(),
            side=order.side,
            price=order.price,
            qty=Qty(qty),
            fee=MLDecimal(fee),
            fee_currency="USDT",
            is_maker=is_maker,
            exec_ms=0,
            recv_ms=0,
        )
        self.trace.record_fill(self.now_ns, report, order.record_row)
        number = self.instruments.index(order.instrument)
        self.fills.append(
            Noted(
                self.now_ns,
                number,
                order.side is Side.Buy,
                order.price.to_decimal(),
                Decimal(qty),
                Decimal(fee),
                is_maker,
                order.client_id,
                sent_ns,
                next(mid for _, which, mid in reversed(self.history) if which == number),
            )
        )
        order.cum_qty += Qty(qty)
        return report

    def fund(self, number: int, received: str) -> None:
        self.trace.record_funding(self.instruments[number].get_instrument_id(), MLDecimal(received))
        self.funding.append((self.now_ns, number, Decimal(received)))

    # -- by itself ---------------------------------------------------------------------------------------------

    def play(self, steps: int) -> Run:
        """Let ``steps`` things happen at random, with long and short gaps, and ties."""
        chance = self.random
        for number in range(len(self.instruments)):
            self.advance_to(self.now_ns)
            self.move_mid(number, "60000.5")
        for _ in range(steps):
            gap_ms = chance.choice([0, 1, 20, 300, 1000, 1700, 9000])
            self.advance_to(self.now_ns + gap_ms * 1_000_000)
            number = chance.randrange(len(self.instruments))
            what = chance.random()
            if what < 0.5:
                self.move_mid(number, str(Decimal(chance.randrange(599_000, 601_000)) / 10))
            elif what < 0.95:
                self.trade(number)
            else:
                self.fund(number, str(Decimal(chance.randrange(-500, 500)) / 1000))
        self.trace.end(self.now_ns)
        return self

    def trade(self, number: int) -> None:
        """An order from its start to its end, at once or over time."""
        chance = self.random
        is_buy, lots = chance.random() < 0.5, chance.randrange(2, 9)
        price = str(Decimal(chance.randrange(599_000, 601_000)) / 10)
        order, sent_ns = self.send(number, is_buy, price, f"0.00{lots}"), self.now_ns
        self.advance_to(self.now_ns + chance.randrange(0, 5_000_000))
        if chance.random() < 0.2:
            self.step(OrderEvent.Rejected, order, GtwRejectCode.PostOnlyWouldCross)
            return
        self.step(OrderEvent.Acked, order)
        first = chance.randrange(1, lots + 1)
        for part in [first, lots - first]:
            if part and chance.random() < 0.8:
                self.advance_to(self.now_ns + chance.choice([0, 3_000_000, 2_500_000_000]))
                fee = str(Decimal(chance.randrange(-20, 60)) / 1000)
                self.fill(order, f"0.00{part}", is_maker=chance.random() < 0.6, fee=fee, sent_ns=sent_ns)
        if order.leaves_qty.is_zero():
            self.step(OrderEvent.Filled, order)
        elif chance.random() < 0.7:
            self.step(OrderEvent.CancelSent, order)
            self.advance_to(self.now_ns + 4_000_000)
            self.step(OrderEvent.Cancelled, order)
        elif chance.random() < 0.3:
            self.trace.record_refusal(RequestKind.CancelOrder, GtwRejectCode.TooLate)
