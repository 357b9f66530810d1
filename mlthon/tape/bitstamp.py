"""Order-by-order logs of Bitstamp: lines of ``<ms> <event> <JSON>``, as recorders of its live channels wrote them.

The log has no book to begin with, and lacks some deletions: changes of orders that were never told of, and orders
that stay for good, are left as they are. The venue does not tell which side of a trade took; it is concluded from the
two orders that the trade shortened (the younger took), else from the price before. Its L2 snapshots are left out. The
venue's own stamps are those of the orders' making, so the receiver's stand in for them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from mlthon._core.market_event import PublicTrade
from mlthon._core.order_change import OrderChange
from mlthon.basics.defs import Side
from mlthon.instruments.instrument import Instrument
from mlthon.tape.capture_lines import shown
from mlthon.tape.listing import Listing, instrument_of
from mlthon.tape.plain_lines import decoded, read_lines

__all__ = ["BitstampLog"]

ACTIONS: dict[str, Literal["add", "modify", "delete"]] = {
    "order_created": "add",
    "order_changed": "modify",
    "order_deleted": "delete",
}
EVENTS = {*ACTIONS, "trade", "order_book"}
NS_PER_MS = 1_000_000
MAX_MS = 2**62 // NS_PER_MS
MOST = Decimal(10**15)
AMOUNT_STEP = Decimal("0.00000001")  # the venue counts in these; trades come as floats that are slightly off
SHORTENED_FOR_NS = 2_000_000_000  # how long an order that was shortened may wait for its trade


class BitstampLog:
    """A log as a recording of the pair in its name (``btcusd_...``); `matches` tells it from other files."""

    origin = "bitstamp"

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.counts: Counter[str] = Counter()

    @staticmethod
    def matches(line: bytes) -> bool:
        """Whether this is the first line of such a log."""
        stamp, _, rest = line.partition(b" ")
        return stamp.isdigit() and rest.partition(b" ")[0].decode("utf-8", "replace") in EVENTS

    @cached_property
    def instrument(self) -> Instrument:
        """What was recorded: bitcoin for dollars, unless the file's name begins with another pair."""
        pair = self.path.name[:6].upper()
        known = pair.isalpha() and pair.endswith(("USD", "EUR", "BTC"))
        base, quote = (pair[:3], pair[3:]) if known else ("BTC", "USD")
        return instrument_of(Listing(base + quote, base, quote, "spot"), self.events(), self.path)

    def notes(self) -> dict[str, int]:
        """What the last pass left out, concluded, or found to be impossible, by name."""
        return dict(self.counts)

    def events(self) -> Iterator[OrderChange | PublicTrade]:
        """Read it from its start."""
        self.counts = Counter(ghosts=0)
        sides = TradeSides(self.counts)
        live: set[int] = set()
        for number, line in read_lines(self.path):
            recv_ns, event, content = decoded(self.path, number, partial(parts_of, line))
            if event == "trade":
                yield decoded(self.path, number, partial(sides.trade, recv_ns, content))
            elif event in ACTIONS:
                change = decoded(self.path, number, partial(change_of, ACTIONS[event], recv_ns, content))
                if change is None:
                    self.counts["orders_without_qty"] += 1
                    continue
                self.follow(change, live)
                sides.observe(change)
                yield change
            else:
                self.counts["l2_snapshots"] += 1

    def follow(self, change: OrderChange, live: set[int]) -> None:
        """Count changes of orders that are not there."""
        if change.action == "add":
            self.counts["added_twice"] += change.order_id in live
            live.add(change.order_id)
        elif change.order_id not in live:
            self.counts["ghosts"] += 1
        elif change.action == "delete":
            live.remove(change.order_id)


@dataclass(slots=True)
class TradeSides:
    """Concludes which side of a trade took."""

    counts: Counter[str]
    shortened: dict[Side, tuple[int, int]] = field(default_factory=dict)  # the latest: when, and its id
    last_price: Decimal = Decimal(0)
    last_side: Side = Side.Buy

    def observe(self, change: OrderChange) -> None:
        """An order became shorter or was filled: perhaps by a trade that is told next."""
        if change.action == "modify" or (change.action == "delete" and change.qty.is_zero()):
            self.shortened[change.side] = change.recv_ns, change.order_id

    def trade(self, recv_ns: int, content: dict[str, Any]) -> PublicTrade:
        price = number_in(content, "price").quantize(AMOUNT_STEP)
        amount = number_in(content, "amount").quantize(AMOUNT_STEP)
        side = self.side_by_orders(recv_ns)
        if side is None:
            self.counts["trade_sides_by_price"] += 1
            if price != self.last_price:
                self.last_side = Side.Buy if price > self.last_price else Side.Sell
        else:
            self.counts["trade_sides_by_orders"] += 1
            self.last_side = side
        self.last_price = price
        trade_id = content.get("id", "")
        return PublicTrade(
            self.last_side,
            f"{price:f}",
            f"{amount:f}",
            venue_ns=recv_ns,
            recv_ns=recv_ns,
            trade_id=str(trade_id),
        )

    def side_by_orders(self, recv_ns: int) -> Side | None:
        """The side of the younger of the two orders that were just shortened; None unless there are two."""
        ids = {
            order_id: side
            for side, (when_ns, order_id) in self.shortened.items()
            if recv_ns - when_ns <= SHORTENED_FOR_NS
        }
        self.shortened.clear()
        return ids[max(ids)] if len(ids) == 2 else None


def parts_of(line: bytes) -> tuple[int, str, dict[str, Any]]:
    stamp, _, rest = line.partition(b" ")
    event, _, text = rest.partition(b" ")
    if not stamp.isdigit() or len(stamp) > 19 or int(stamp) > MAX_MS:
        raise ValueError(f"expected '<ms> <event> <JSON>', got {shown(line)}")
    name = event.decode("utf-8", "replace")
    if name not in EVENTS:
        raise ValueError(f"expected one of {', '.join(sorted(EVENTS))}, got {name[:40]!r}")
    if name == "order_book":
        return int(stamp) * NS_PER_MS, name, {}
    try:
        content = json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        cut = "" if line.endswith(b"\n") else ": the file is cut off here"
        raise ValueError(f"expected a JSON object, got {shown(text)}{cut}") from error
    if not isinstance(content, dict):
        raise TypeError(f"expected a JSON object, got {shown(text)}")
    return int(stamp) * NS_PER_MS, name, content


def change_of(
    action: Literal["add", "modify", "delete"], recv_ns: int, content: dict[str, Any]
) -> OrderChange | None:
    """A change of an order; None for one that is made without price or quantity, which rests nowhere."""
    if content["order_type"] not in ("0", "1"):
        raise ValueError(f"order_type: expected 0 or 1, got {content['order_type']!r}")
    price, amount = number_in(content, "price"), number_in(content, "amount")
    if action == "add" and (price <= 0 or amount <= 0):
        return None
    return OrderChange(
        action,
        int(content["id"]),
        Side.Sell if content["order_type"] == "1" else Side.Buy,
        price,
        amount,
        venue_ns=recv_ns,
        recv_ns=recv_ns,
    )


def number_in(content: dict[str, Any], name: str) -> Decimal:
    try:
        number = Decimal(content[name])
    except (InvalidOperation, TypeError, ValueError):
        number = Decimal("nan")
    if not number.is_finite() or abs(number) > MOST:
        raise ValueError(f"{name}: expected decimal text, got {content[name]!r:.60}")
    return number
