"""Examines a tape from end to end: what is missing, impossible, out of order or twice, and how the clocks were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import OrderChange, RateUpdate
from mlthon._core.price_book import PriceLevelBook
from mlthon._core.tape_cursor import COLUMN_NAMES, TapeCursor
from mlthon.basics.defs import Side
from mlthon.order.books.order_book import OrderBook
from mlthon.tape.clock_offset import ClockOffset
from mlthon.tape.tape import Batch, Tape

__all__ = ["Finding", "Report", "verify"]

MOST_EXAMPLES = 5  # of each kind of finding
MOST_STEPS_BACK = 0.01  # of all rows: more is no jitter that a reader may smooth, but another order
EVENTS_BETWEEN_CALLS = 10_000


@dataclass(slots=True)
class Finding:
    """Something that is wrong with a tape: how often, and where it was found first (event and time received)."""

    kind: str
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, where: str) -> None:
        self.count += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(where)


@dataclass(frozen=True, slots=True)
class Report:
    """What `verify` found out. `problems` would mislead who trades on it; `repairs` are made in reading."""

    events: int
    levels: int
    clock_offset_ns: int
    fastest_ns: int | None
    clock_steps: list[tuple[int, int]]
    problems: list[Finding]
    repairs: dict[str, int]
    import_notes: dict[str, int]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong that reading does not repair."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The report as JSON knows it."""
        return asdict(self) | {"is_sound": self.is_sound}


def verify(tape: Tape, on_events: Callable[[int], None] | None = None) -> Report:
    """Read a tape to its end and judge what it says; `on_events` is told from time to time how many were read.

    Books are kept, and judged at the end of each message. Raises TapeError where the tape is damaged.
    """
    examiner = Examiner()
    order = ReceiveOrder()
    cursor = TapeCursor(
        order.watch(tape.batches()),
        price_decimals=tape.header.price_decimals,
        qty_decimals=tape.header.qty_decimals,
        name=str(tape.source_path),
    )
    for _, event in cursor:
        examiner.take(event)
        if on_events is not None and examiner.events % EVENTS_BETWEEN_CALLS == 0:
            on_events(examiner.events)
    unordered = Finding("rows received in another order")
    if order.steps_back > order.rows * MOST_STEPS_BACK:
        unordered.add(f"{order.steps_back} of {order.rows} rows were received before the one above")
    repairs = {"received_out_of_order": order.steps_back}
    if tape.clock_offset_ns:
        repairs["clock_offset_ns"] = tape.clock_offset_ns
    return Report(
        events=examiner.events,
        levels=examiner.levels,
        clock_offset_ns=examiner.clock.offset_ns,
        fastest_ns=examiner.clock.fastest_ns,
        clock_steps=examiner.clock.steps,
        problems=[finding for finding in [*examiner.findings(), unordered] if finding.count],
        repairs={name: count for name, count in repairs.items() if count},
        import_notes={name: count for name, count in tape.header.notes.items() if count},
    )


class ReceiveOrder:
    """Counts where a receive stamp lies before the one of the row above: a cursor never goes back, and hides it."""

    def __init__(self) -> None:
        self.steps_back = 0
        self.rows = 0
        self.last_ns = 0

    def watch(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in batches:
            stamps = np.frombuffer(batch[1 + COLUMN_NAMES.index("recv_ns")], np.int64, batch[0])
            if len(stamps):
                self.steps_back += int(
                    (stamps[0] < self.last_ns) + np.count_nonzero(stamps[1:] < stamps[:-1])
                )
                self.last_ns = int(stamps[-1])
                self.rows += len(stamps)
            yield batch


class Examiner:
    """Follows a tape's events and notes what cannot be."""

    def __init__(self) -> None:
        self.events = 0
        self.levels = 0
        self.clock = ClockOffset()
        self.depth = DepthExaminer()
        self.orders = OrderExaminer()
        self.duplicate_trades = Finding("duplicate trade")
        self.early_trades = Finding("trade out of order")
        self.last_trade = -1

    def findings(self) -> list[Finding]:
        """All kinds, whether anything was found or not."""
        steps = Finding("clock step")
        for recv_ns, change_ns in self.clock.steps:
            steps.add(f"by {change_ns / 1e6:+.0f} ms near {recv_ns} ns")
        return [
            *self.depth.findings(),
            *self.orders.findings(),
            self.duplicate_trades,
            self.early_trades,
            steps,
        ]

    def take(self, event: DepthUpdate | PublicTrade | OrderChange | RateUpdate) -> None:
        where = Where(self.events, event.recv_ns)
        self.events += 1
        self.clock.observe(event.recv_ns, event.venue_ns)
        if isinstance(event, DepthUpdate):
            self.levels += len(event)
            self.depth.take(event, where)
        elif isinstance(event, OrderChange):
            self.orders.take(event, where)
        elif isinstance(event, PublicTrade) and event.trade_id.isdigit():
            number = int(event.trade_id)
            if number == self.last_trade:
                self.duplicate_trades.add(f"{where}: id {number}")
            elif number < self.last_trade:
                self.early_trades.add(f"{where}: id {number} after {self.last_trade}")
            self.last_trade = max(number, self.last_trade)


@dataclass(frozen=True, slots=True)
class Where:
    """A place on the tape."""

    event: int
    recv_ns: int

    def __str__(self) -> str:
        return f"event {self.event}, received {self.recv_ns} ns"


class DepthExaminer:
    """Follows the numbers of depth messages, and the book that they make."""

    def __init__(self) -> None:
        self.gaps = Finding("gap")
        self.duplicates = Finding("duplicate depth message")
        self.late = Finding("depth message out of order")
        self.crossed = Finding("crossed book")
        self.no_snapshot = Finding("depth message before any snapshot")
        self.book = PriceLevelBook()
        self.seq: int | None = None  # of the last message; None before the first snapshot
        self.joins_snapshot = False  # the next one need only reach across the snapshot's number

    def findings(self) -> list[Finding]:
        return [self.gaps, self.duplicates, self.late, self.crossed, self.no_snapshot]

    def take(self, update: DepthUpdate, where: Where) -> None:
        if update.is_snapshot:
            self.book.clear()
            self.joins_snapshot = True
        elif self.seq is None:
            self.no_snapshot.add(str(where))
        elif update.prev_seq >= 0:
            self.follow(update, self.seq, where)
            self.joins_snapshot = False
        elif update.seq < self.seq and update.seq > 0:
            self.late.add(f"{where}: number {update.seq} after {self.seq}")
        elif update.seq == self.seq and update.seq > 0:
            self.duplicates.add(f"{where}: number {update.seq}")
        self.seq = update.seq if update.is_snapshot else max(update.seq, self.seq or 0)
        for side, levels in ((Side.Buy, update.bids()), (Side.Sell, update.asks())):
            for price, qty in levels:
                self.book.add_lvl(side, price, qty)
        if self.book.is_crossed():
            self.crossed.add(str(where))

    def follow(self, update: DepthUpdate, seq: int, where: Where) -> None:
        """Judge a message that says which one it continues."""
        if update.prev_seq == seq or (self.joins_snapshot and update.prev_seq < seq <= update.seq):
            return
        if update.prev_seq > seq:
            self.gaps.add(f"{where}: continues {update.prev_seq}, the last was {seq}")
        elif update.seq == seq:
            self.duplicates.add(f"{where}: number {update.seq}")
        else:
            self.late.add(f"{where}: number {update.seq} after {seq}")


class OrderExaminer:
    """Follows the orders of a market that is told order by order."""

    def __init__(self) -> None:
        self.ghosts = Finding("change of an unknown order")
        self.doubles = Finding("order added twice")
        self.crossed = Finding("crossed orders")
        self.book = OrderBook()

    def findings(self) -> list[Finding]:
        return [self.ghosts, self.doubles, self.crossed]

    def take(self, change: OrderChange, where: Where) -> None:
        if change.is_first and change.is_snapshot:
            self.book.clear()
        known = self.book.get_order(change.order_id)
        if change.action == "add":
            if known is not None:
                self.doubles.add(f"{where}: order {change.order_id}")
            self.book.add_order(change.order_id, change.side, change.price, change.qty)
        elif known is None:
            self.ghosts.add(f"{where}: {change.action} order {change.order_id}")
        elif change.action == "delete":
            self.book.delete_order(change.order_id)
        elif change.price.is_zero() or change.price == known.get_price():
            self.book.modify_order_qty(change.order_id, change.qty)
        else:
            self.book.add_order(change.order_id, change.side, change.price, change.qty)
        if change.is_last and self.book.is_crossed():
            self.crossed.add(str(where))
