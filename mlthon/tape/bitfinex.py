"""Order-by-order captures of Bitfinex's raw books (R0): a JSON array of frames, without any stamps.

A frame is ``[channel, [id, price, amount]]``; price 0 deletes the order, an amount below 0 is an ask, and a known id
is the order changed, price included. The first is a list of such orders, the book to begin with. Since nothing says
when, time is made up: frames are `FRAME_NS` apart.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any

from mlthon._core.order_change import OrderChange
from mlthon.basics.defs import Side
from mlthon.errors import TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.tape.capture_lines import open_capture, shown
from mlthon.tape.listing import Listing, instrument_of

__all__ = ["BitfinexCapture"]

MOST_BYTES = 256 * 1024 * 1024  # unpacked: the array is read whole
START_NS = 1_600_000_000_000_000_000
FRAME_NS = 1_000_000


class BitfinexCapture:
    """A capture as a recording; `matches` tells it from other files.

    A deletion of an order that is not there is passed on and counted as a ghost. Raises TapeError, naming the frame,
    for what is not such a capture.
    """

    origin = "bitfinex"

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.counts: Counter[str] = Counter()

    @staticmethod
    def matches(line: bytes) -> bool:
        """Whether a file that begins so is such a capture."""
        return line.startswith(b"[") and b'"R0"' in line[:4000]

    @cached_property
    def instrument(self) -> Instrument:
        """What was recorded: the pair that the subscription names."""
        for frame in self.frames():
            if isinstance(frame, dict) and isinstance(frame.get("pair"), str):
                pair = frame["pair"]
                base, quote = pair[: len(pair) // 2], pair[len(pair) // 2 :]
                return instrument_of(Listing(pair, base, quote, "spot"), self.events(), self.path)
        raise TapeError(f"{self.path}: expected a frame that names the pair, got none")

    def notes(self) -> dict[str, int]:
        """What the last pass left out or found to be impossible, by name."""
        return dict(self.counts)

    def events(self) -> Iterator[OrderChange]:
        """Read it from its start."""
        self.counts = Counter(ghosts=0)
        orders: dict[int, tuple[Side, Decimal]] = {}
        for number, frame in enumerate(self.frames()):
            content = frame[1] if isinstance(frame, list) and len(frame) == 2 else None
            if not isinstance(content, list) or not content:
                self.counts["other_frames"] += 1
                continue
            try:
                yield from self.changes(number, content, orders)
            except (TypeError, ValueError, ArithmeticError) as error:
                raise TapeError(f"{self.path}: frame {number}: {error}") from error

    def changes(
        self, number: int, content: list[Any], orders: dict[int, tuple[Side, Decimal]]
    ) -> list[OrderChange]:
        """The changes that a frame tells."""
        now_ns = START_NS + number * FRAME_NS
        is_snapshot = isinstance(content[0], list)
        entries = content if is_snapshot else [content]
        if is_snapshot:
            orders.clear()
        changes = []
        for index, entry in enumerate(entries):
            order_id, price, side, amount = order_of(entry)
            known = orders.get(order_id)
            if price == 0:
                self.counts["ghosts"] += known is None
                orders.pop(order_id, None)
                side, price = known or (side, price)
            else:
                orders[order_id] = side, price
            changes.append(
                OrderChange(
                    "delete" if entry[1] == "0" else "modify" if known else "add",
                    order_id,
                    side,
                    price,
                    0 if entry[1] == "0" else amount,
                    is_snapshot=is_snapshot,
                    is_first=index == 0,
                    is_last=index == len(entries) - 1,
                    venue_ns=now_ns,
                    recv_ns=now_ns,
                )
            )
        return changes

    def frames(self) -> list[Any]:
        """All frames; numbers as they are written."""
        with open_capture(self.path) as stream:
            try:
                text = stream.read(MOST_BYTES + 1)
            except (EOFError, OSError) as error:
                raise TapeError(f"{self.path}: cannot be read, the file is cut off: {error}") from error
        if len(text) > MOST_BYTES:
            raise TapeError(f"{self.path}: expected at most {MOST_BYTES} bytes, got more")
        try:
            frames = json.loads(text, parse_float=str, parse_int=str)
        except (ValueError, RecursionError) as error:
            raise TapeError(f"{self.path}: expected a JSON array, got {shown(text)}: {error}") from error
        if not isinstance(frames, list):
            raise TapeError(f"{self.path}: expected a JSON array, got {shown(text)}")
        return frames


def order_of(entry: object) -> tuple[int, Decimal, Side, Decimal]:
    """The id, price, side and amount of an order as a frame tells them."""
    if not isinstance(entry, list) or len(entry) != 3 or not all(isinstance(part, str) for part in entry):
        raise TypeError(f"expected [id, price, amount], got {str(entry)[:60]}")
    order_id, price, amount = entry
    try:
        signed = Decimal(amount)
        return int(order_id), Decimal(price), Side.Sell if signed < 0 else Side.Buy, abs(signed)
    except (ValueError, InvalidOperation):
        raise ValueError(f"expected [id, price, amount] in numbers, got {str(entry)[:60]}") from None
