"""Raw captures of Binance's public streams, USD-M futures and spot.

A capture holds diff depth messages, trades, best-quote messages and one REST depth snapshot, in the order
they arrived. Snapshot and diffs are joined by their update ids, as the venue's documentation asks ("How to
manage a local order book correctly"). Best quotes are left out: they repeat what the book says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.errors import GapError, TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.tape.binance_messages import (
    DEPTH,
    SNAPSHOT,
    TRADE,
    decode_diff,
    decode_snapshot,
    decode_trade,
    is_market_trade,
    is_perpetual,
    kind_of,
    payload_of,
    symbol_of,
    venue_ns_of,
)
from mlthon.tape.capture_lines import CaptureLine, read_capture_lines
from mlthon.tape.listing import Listing, instrument_of, split_symbol

__all__ = ["BinanceCapture", "CaptureCounts"]

MAX_LINES_BEFORE_SNAPSHOT = 10_000  # bounds the diffs that wait for the snapshot
PROBED_DEPTH_MESSAGES = 50  # read, besides the snapshot, to find the tick and the lot

MarketEvent = DepthUpdate | PublicTrade


@dataclass(slots=True)
class CaptureCounts:
    """What one pass over a capture has met so far."""

    lines: int = 0
    stale_diffs: int = 0  # older than the snapshot
    trades_before_snapshot: int = 0
    not_market_trades: int = 0  # insurance fund, deleveraging: they took nothing from the book
    ignored: int = 0  # best quotes, later snapshots, and messages of other streams
    steps_back: int = 0  # lines stamped earlier than the one before


class BinanceCapture:
    """A recorded market: iterate it for ``(gap_ns, event)``, gap_ns being the time since the event before.

    The first event is the snapshot, a `DepthUpdate` with ``is_snapshot``; depth updates and public trades
    follow in the order they arrived. Gaps are those of the local receive stamps, never negative; the events
    carry both stamps as recorded. Each iteration reads the file anew, a line at a time, and starts `counts`
    anew.

    Iterating raises TapeError, naming the line, for a file that is cut off or is not a capture, and GapError
    where depth messages are missing; what was whole before has been yielded by then.
    """

    origin = "binance"

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.counts = CaptureCounts()

    def __repr__(self) -> str:
        return f"BinanceCapture({str(self.path)!r})"

    @cached_property
    def instrument(self) -> Instrument:
        """What was recorded, as the simulated venue lists it: ``byt:perp:BTC-USDT`` for BTCUSDT of USD-M.

        Tick and lot are the greatest steps that fit the prices and quantities of the snapshot and of the
        first messages. Reads the start of the file once; raises TapeError when it does not tell enough.
        """
        reader = CaptureReader(self.path, CaptureCounts())
        first: list[MarketEvent] = []
        depth_messages = 0
        for event in reader.events():
            first.append(event)
            depth_messages += isinstance(event, DepthUpdate)
            if depth_messages > PROBED_DEPTH_MESSAGES:
                break
        if reader.is_perpetual is None:
            raise TapeError(f"{self.path}: expected depth messages beside the snapshot, got none")
        product = "linear" if reader.is_perpetual else "spot"
        return instrument_of(Listing(reader.symbol, *reader.pair(), product), first, self.path)

    def events(self) -> Iterator[MarketEvent]:
        """Read it from its start, without the gaps."""
        self.counts = CaptureCounts()
        return CaptureReader(self.path, self.counts).events()

    def notes(self) -> dict[str, int]:
        """What the last pass left out, by name."""
        return asdict(self.counts)

    def __iter__(self) -> Iterator[tuple[int, MarketEvent]]:
        newest_ns: int | None = None
        for event in self.events():
            gap_ns = 0 if newest_ns is None else max(event.recv_ns - newest_ns, 0)
            newest_ns = event.recv_ns if newest_ns is None else max(event.recv_ns, newest_ns)
            yield gap_ns, event


class CaptureReader:
    """One pass over a capture: lines in, events out, in sync from the snapshot on."""

    def __init__(self, path: Path, counts: CaptureCounts) -> None:
        self.path = path
        self.counts = counts
        self.symbol = ""  # "" until a message names it
        self.is_perpetual: bool | None = None  # None until a depth message tells
        self.venue_ns: int | None = None  # the latest stamp, for snapshots that have none
        self.sync = BookSync(counts)

    def events(self) -> Iterator[MarketEvent]:
        last_recv_ns = 0
        for line in read_capture_lines(self.path):
            self.counts.lines += 1
            self.counts.steps_back += line.recv_ns < last_recv_ns
            last_recv_ns = line.recv_ns
            try:
                ready = self.take(line)
            except (TypeError, ValueError) as error:
                raise TapeError(f"{self.path}: line {line.number}: {error}") from error
            except GapError as error:
                raise GapError(f"{self.path}: line {line.number}: {error}") from None
            yield from ready
            if not self.sync.started and self.counts.lines >= MAX_LINES_BEFORE_SNAPSHOT:
                break
        if not self.sync.started:
            raise TapeError(
                f"{self.path}: expected a depth snapshot in the first lines of a Binance capture,"
                f" got none in {self.counts.lines}"
            )

    def take(self, line: CaptureLine) -> list[MarketEvent]:
        """Decode a line; give what is now ready to be played."""
        payload = payload_of(line.message)
        kind = kind_of(payload)
        if kind not in (DEPTH, TRADE, SNAPSHOT):
            self.counts.ignored += 1
            return []
        venue_ns = venue_ns_of(payload)
        if venue_ns is not None:
            self.venue_ns = venue_ns
        stamps = (line.recv_ns if self.venue_ns is None else self.venue_ns, line.recv_ns)
        if kind == SNAPSHOT:
            return self.sync.take_snapshot(decode_snapshot(payload, *stamps))
        self.check_symbol(symbol_of(payload))
        if kind == DEPTH:
            self.is_perpetual = is_perpetual(payload)
            return self.sync.take_diff(decode_diff(payload, *stamps))
        if not is_market_trade(payload):
            self.counts.not_market_trades += 1
            return []
        return self.sync.take_trade(decode_trade(payload, *stamps))

    def pair(self) -> tuple[str, str]:
        """The base and quote currencies of the symbol."""
        try:
            return split_symbol(self.symbol)
        except ValueError as error:
            raise TapeError(f"{self.path}: {error}") from error

    def check_symbol(self, symbol: str) -> None:
        if self.symbol == "":
            self.symbol = symbol
        elif symbol != self.symbol:
            raise ValueError(f"s: expected {self.symbol} as before, got {symbol[:40]}")


class BookSync:
    """Joins the snapshot and the diffs: each update handed out continues the one before.

    Diffs that come before the snapshot wait for it. Then those that end before it are dropped, and the first
    one kept must reach across it.
    """

    def __init__(self, counts: CaptureCounts) -> None:
        self.started = False
        self.counts = counts
        self.seq = -1  # of the last update handed out
        self.crossed_snapshot = False  # a diff did: from then on numbers must meet exactly
        self.waiting: list[DepthUpdate] = []

    def take_snapshot(self, snapshot: DepthUpdate) -> list[MarketEvent]:
        if self.started:
            self.counts.ignored += 1
            return []
        self.started = True
        self.seq = snapshot.seq
        ready: list[MarketEvent] = [snapshot]
        for diff in self.waiting:
            ready += self.take_diff(diff)
        self.waiting.clear()
        return ready

    def take_diff(self, diff: DepthUpdate) -> list[MarketEvent]:
        if not self.started:
            self.waiting.append(diff)
            return []
        if not self.crossed_snapshot:
            if diff.seq < self.seq:
                self.counts.stale_diffs += 1
                return []
            continues = diff.prev_seq <= self.seq
        else:
            continues = diff.prev_seq == self.seq
        if not continues:
            raise GapError(
                f"expected a depth message that continues update {self.seq},"
                f" got one that continues {diff.prev_seq} (and ends at {diff.seq})"
            )
        self.crossed_snapshot = True
        self.seq = diff.seq
        return [diff]

    def take_trade(self, trade: PublicTrade) -> list[MarketEvent]:
        if not self.started:
            self.counts.trades_before_snapshot += 1
            return []
        return [trade]
