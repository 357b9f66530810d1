"""Recorded frames of Bybit's public streams as a recording: books, trades, funding, mark and index prices.

Where messages of a book are missing (a connection was lost, the recorder dropped frames or was not running, a
number was skipped), the book is not to be trusted until its next snapshot. Until then the tape shows none: an
empty whole book says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import orjson

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import RateUpdate
from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.errors import TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.tape.bybit_archive import ms_of, update_of
from mlthon.tape.raw_frames import (
    CONTROL,
    FRAME,
    FRAMES_MAGIC,
    FramesHeader,
    FramesReader,
    RawRecord,
    parts_of,
)
from mlthon.tape.recording import TapeEvent

__all__ = ["PROTOCOL", "BybitFrames"]

PROTOCOL = "bybit-v5-public"
BYBIT_ITSELF = "bybit mainnet"  # the `source` of its recordings

SIDES = {"Buy": Side.Buy, "Sell": Side.Sell}
RATES: tuple[tuple[Literal["funding", "mark", "index"], str], ...] = (
    ("funding", "fundingRate"),
    ("mark", "markPrice"),
    ("index", "indexPrice"),
)
BOOK_ENDS = {"disconnected": "connections_lost", "book_lost": "books_lost", "dropped": "frames_dropped"}


class BybitFrames:
    """A recording, whole or one part of it, of one instrument; `matches` tells a part from other files.

    Frames that cannot be understood are left out and counted, and so are sessions that were killed. Raises
    TapeError where a part is damaged, where the parts are of several instruments, and where there is no
    market in them.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.counts: Counter[str] = Counter()

    @staticmethod
    def matches(line: bytes) -> bool:
        """Whether this is the first line of a part."""
        return line == FRAMES_MAGIC

    @cached_property
    def instrument(self) -> Instrument:
        """What was recorded, as the venue listed it when the recording began."""
        with closing(FramesReader(parts_of(self.path)[0])) as part:
            return part.header.instrument

    @cached_property
    def origin(self) -> str:
        """The venue: Bybit, or else what the recorder called it. Each simulated one is a venue of its own."""
        with closing(FramesReader(parts_of(self.path)[0])) as part:
            return "bybit" if part.header.source == BYBIT_ITSELF else part.header.source

    def notes(self) -> dict[str, int]:
        """What the last pass left out or met, by name."""
        return dict(self.counts)

    def events(self) -> Iterator[TapeEvent]:
        """Read it from its start."""
        self.counts = Counter()
        market = FramesMarket(self.counts)
        last: tuple[int, int] | None = None  # the session and number of the part before
        told = 0
        for path in parts_of(self.path):
            with closing(FramesReader(path)) as part:
                place = (self.checked(part.header, path).session_ns, part.header.part)
                if last is not None and place != (last[0], last[1] + 1):
                    self.counts["sessions_before" if place[1] == 1 else "parts_missing"] += 1
                    yield from market.lose_book(market.last_ns)
                last = place
                for record in part:
                    for event in self.decoded(market, record, path):
                        told += 1
                        yield event
                self.counts["parts_cut_off"] += part.is_cut_off
        if told == 0:
            is_later = not self.path.is_dir() and last is not None and last[1] > 1
            hint = "; this is not its first part: name the folder" if is_later else ""
            raise TapeError(f"{self.path}: expected a book from its snapshot on, or trades, got none{hint}")

    def checked(self, header: FramesHeader, path: Path) -> FramesHeader:
        """A part's header, which must be of the same market as the first one's."""
        expected, name = self.instrument.get_instrument_name(), header.instrument.get_instrument_name()
        if header.protocol != PROTOCOL or name != expected:
            raise TapeError(
                f"{path}: expected {PROTOCOL} frames of {expected}, got {header.protocol[:40]} frames of {name}"
            )
        return header

    def decoded(self, market: FramesMarket, record: RawRecord, path: Path) -> list[TapeEvent]:
        try:
            return market.take(record)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            if record.kind != FRAME:
                raise TapeError(f"{path}: the record of {record.recv_ns}: {error}") from error
            self.counts["frames_not_understood"] += 1
            return market.lose_book(record.recv_ns) if b"orderbook" in record.data else []


class FramesMarket:
    """Decodes the records of one instrument in order, and knows whether its book is to be trusted."""

    def __init__(self, counts: Counter[str]) -> None:
        self.counts = counts
        self.last_ns = 0  # when the last record was received
        self.topic: str | None = None  # of the book
        self.update_id: int | None = None  # of the book's last message; None while there is no book
        self.rates: dict[str, str] = {}  # what a ticker's fields were last

    def take(self, record: RawRecord) -> list[TapeEvent]:
        """Give what a record tells of the market; raises KeyError, TypeError or ValueError for what is no frame."""
        self.last_ns = record.recv_ns
        if record.kind == CONTROL:
            return self.take_control(record)
        if record.kind != FRAME:
            raise ValueError("expected a frame or a control record, got another header")
        frame = orjson.loads(record.data)
        topic = frame.get("topic", "") if isinstance(frame, dict) else None
        if not isinstance(topic, str):
            raise TypeError(f"expected a JSON object with a topic, got {record.data[:60]!r}")
        if topic.startswith("orderbook."):
            return self.take_book(frame, record.recv_ns)
        if topic.startswith("publicTrade."):
            return [trade_of(row, record.recv_ns) for row in frame["data"]]
        if topic.startswith("tickers."):
            return self.take_ticker(frame, record.recv_ns)
        self.counts["other_frames"] += 1
        return []

    def take_control(self, record: RawRecord) -> list[TapeEvent]:
        said = record.event()
        counted = BOOK_ENDS.get(said["event"])
        if counted is None:
            return []
        self.counts[counted] += int(said.get("frames", 1))
        return self.lose_book(record.recv_ns)

    def lose_book(self, recv_ns: int) -> list[TapeEvent]:
        """Say that there is no book any more, if there was one."""
        if self.update_id is None:
            return []
        self.update_id = None
        return [DepthUpdate([], [], is_snapshot=True, venue_ns=0, recv_ns=recv_ns, seq=0)]

    def take_book(self, frame: dict[str, Any], recv_ns: int) -> list[TapeEvent]:
        update, update_id = update_of(frame, recv_ns)
        self.topic = frame["topic"] if self.topic is None else self.topic
        if frame["topic"] != self.topic:
            raise ValueError(f"expected {self.topic} as before, got {frame['topic']}")
        if not update.is_snapshot:
            if self.update_id is None:
                self.counts["depth_before_snapshot"] += 1
                return []
            if update_id != self.update_id + 1:
                self.counts["gaps"] += 1
                return self.lose_book(recv_ns)
        self.update_id = update_id
        return [update]

    def take_ticker(self, frame: dict[str, Any], recv_ns: int) -> list[TapeEvent]:
        """Give the rates that have changed: a ticker tells many fields, and deltas only those that are new."""
        fields, venue_ns = frame["data"], ms_of(frame, "ts")
        if not isinstance(fields, dict):
            raise TypeError(f"expected a ticker's fields, got {fields!r}"[:120])
        told = {
            name: fields[name] for name in ("nextFundingTime", *(name for _, name in RATES)) if name in fields
        }
        changed = {name for name, value in told.items() if value != self.rates.get(name)}
        self.rates |= told
        if "nextFundingTime" in changed:
            changed.add("fundingRate")
        due_ms = self.rates.get("nextFundingTime", "")
        due_ns = ms_of({"due": int(due_ms)}, "due") if due_ms.strip("0") else 0
        return [
            RateUpdate(
                kind,
                MLDecimal(self.rates[name]),
                due_ns=due_ns if kind == "funding" else 0,
                venue_ns=venue_ns,
                recv_ns=recv_ns,
            )
            for kind, name in RATES
            if name in changed and self.rates.get(name)
        ]


def trade_of(row: dict[str, Any], recv_ns: int) -> PublicTrade:
    return PublicTrade(
        SIDES[row["S"]], row["p"], row["v"], venue_ns=ms_of(row, "T"), recv_ns=recv_ns, trade_id=row["i"]
    )
