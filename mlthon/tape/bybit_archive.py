"""Bybit's public archives: order books (jsonl, a raw frame a line) and trades (csv).

They are what public.bybit.com offers for download. Frames are those of the v5 ``orderbook`` stream; the receiver's
stamp is missing in both, so the venue's time of sending stands in for it (``ts``, or a trade's ``timestamp``), and
there is no clock to correct.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import orjson

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import Side
from mlthon.errors import GapError, TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.tape.capture_lines import shown
from mlthon.tape.listing import Listing, instrument_of, split_symbol
from mlthon.tape.plain_lines import Row, decoded, read_lines, read_rows

__all__ = ["BybitBookArchive", "BybitTradeArchive"]

NS_PER_MS = 1_000_000
MAX_MS = 2**62 // NS_PER_MS
TRADE_COLUMNS = {"timestamp", "symbol", "side", "size", "price", "trdMatchID"}
SPOT_COLUMNS = {"id", "timestamp", "price", "volume", "side"}  # the symbol is in the file's name alone


class BybitBookArchive:
    """An order book archive as a recording; `matches` tells it from other files.

    Deltas before the first snapshot are left out and counted. Raises GapError where update ids skip, TapeError,
    naming the line, for what is not a frame of the one topic.
    """

    origin = "bybit"

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.counts: Counter[str] = Counter()

    @staticmethod
    def matches(line: bytes) -> bool:
        """Whether this is the first line of such an archive."""
        return line.startswith(b"{") and b'"topic":"orderbook.' in line[:200].replace(b" ", b"")

    @cached_property
    def instrument(self) -> Instrument:
        """What was recorded. An archive does not say its category: USD is taken for inverse, the rest for linear."""
        for number, line in read_lines(self.path):
            symbol = decoded(self.path, number, partial(self.symbol_in, line))
            listing = decoded(self.path, number, partial(listing_of, symbol))
            return instrument_of(listing, self.events(), self.path)
        raise TapeError(f"{self.path}: expected frames, got an empty file")

    def symbol_in(self, line: bytes) -> str:
        topic = frame_of(line).get("topic")
        if not isinstance(topic, str):
            raise TypeError(f"topic: expected orderbook.<depth>.<symbol>, got {topic!r}")
        return topic.rpartition(".")[2]

    def notes(self) -> dict[str, int]:
        """What the last pass left out, by name."""
        return dict(self.counts)

    def events(self) -> Iterator[DepthUpdate]:
        """Read it from its start."""
        self.counts = Counter()
        topic: object = None
        update_id = 0  # of the last frame, 0 before the first snapshot
        for number, line in read_lines(self.path):
            frame = decoded(self.path, number, partial(frame_of, line))
            topic = frame.get("topic") if topic is None else topic
            if frame.get("topic") != topic:
                raise TapeError(
                    f"{self.path}: line {number}: expected {topic} as before, got {frame.get('topic')!r}"
                )
            update, new_id = decoded(self.path, number, partial(update_of, frame))
            if not update.is_snapshot and update_id == 0:
                self.counts["depth_before_snapshot"] += 1
                continue
            if not update.is_snapshot and new_id != update_id + 1:
                raise GapError(f"{self.path}: line {number}: expected update {update_id + 1}, got {new_id}")
            update_id = new_id
            yield update


class BybitTradeArchive:
    """A trade archive as a recording, oldest trade first; `matches` tells it from other files."""

    origin = "bybit"

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @staticmethod
    def matches(line: bytes) -> bool:
        """Whether this is the first line of such an archive."""
        names = set(line.decode("utf-8", "replace").strip().split(","))
        return names >= TRADE_COLUMNS or names >= SPOT_COLUMNS

    @cached_property
    def instrument(self) -> Instrument:
        """What was recorded. An archive does not say its category: USD is taken for inverse, the rest for linear."""
        for number, row in read_rows(self.path):
            listing = decoded(self.path, number, partial(self.listing, row))
            return instrument_of(listing, self.events(), self.path)
        raise TapeError(f"{self.path}: expected trades, got none")

    def listing(self, row: Row) -> Listing:
        """What is traded: contracts have a symbol in each row, spot has it in the file's name (``BTCUSDT_...``)."""
        if "symbol" in row:
            return listing_of(row["symbol"])
        symbol = self.path.name.replace("-", "_").replace(".", "_").partition("_")[0].upper()
        return Listing(symbol, *split_symbol(symbol), "spot")

    def notes(self) -> dict[str, int]:
        """Nothing is left out."""
        return {}

    def events(self) -> Iterator[PublicTrade]:
        """Read it from its start."""
        for number, row in read_rows(self.path):
            yield decoded(self.path, number, partial(trade_of if "trdMatchID" in row else spot_trade_of, row))


def frame_of(line: bytes) -> dict[str, Any]:
    try:
        frame = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        cut = "" if line.endswith(b"\n") else ": the file is cut off here"
        raise ValueError(f"expected a JSON object, got {shown(line)}: {error}{cut}") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("data"), dict):
        raise TypeError(f"expected a frame with data, got {shown(line)}")
    return frame


def update_of(frame: dict[str, Any], recv_ns: int | None = None) -> tuple[DepthUpdate, int]:
    """The change a frame tells, and its number. One numbered 1 is a whole book: the service has restarted.

    Where it is not known when the frame was received, its time of sending stands in.
    """
    data = frame["data"]
    sent_ns = ms_of(frame, "ts")
    update_id = data["u"]
    if type(update_id) is not int or frame["type"] not in ("snapshot", "delta"):
        raise TypeError(f"expected a snapshot or a delta with u, got {frame['type']!r} with {update_id!r}")
    update = DepthUpdate(
        data["b"],
        data["a"],
        is_snapshot=frame["type"] == "snapshot" or update_id == 1,
        venue_ns=ms_of(frame, "cts") if "cts" in frame else sent_ns,
        recv_ns=sent_ns if recv_ns is None else recv_ns,
        seq=data.get("seq", update_id),
    )
    return update, update_id


def ms_of(frame: dict[str, Any], name: str) -> int:
    value = frame[name]
    if type(value) is not int or not 0 < value < MAX_MS:
        raise ValueError(f"{name}: expected milliseconds since the epoch, got {value!r}")
    return value * NS_PER_MS


def trade_of(row: Row) -> PublicTrade:
    sides = {"Buy": Side.Buy, "Sell": Side.Sell}
    if row["side"] not in sides:
        raise ValueError(f"side: expected Buy or Sell, got {row['side'][:40]!r}")
    ns = ns_of(row["timestamp"])
    return PublicTrade(
        sides[row["side"]], row["price"], row["size"], venue_ns=ns, recv_ns=ns, trade_id=row["trdMatchID"]
    )


def spot_trade_of(row: Row) -> PublicTrade:
    sides = {"buy": Side.Buy, "sell": Side.Sell}
    if row["side"].lower() not in sides:
        raise ValueError(f"side: expected buy or sell, got {row['side'][:40]!r}")
    ns = ms_of({"timestamp": int(row["timestamp"])}, "timestamp")
    return PublicTrade(
        sides[row["side"].lower()], row["price"], row["volume"], venue_ns=ns, recv_ns=ns, trade_id=row["id"]
    )


def ns_of(text: str) -> int:
    """Seconds with decimals, as the archives have them, in nanoseconds."""
    seconds = Decimal(text) if text.replace(".", "", 1).isdigit() and len(text) < 30 else Decimal(-1)
    if not 0 < seconds < MAX_MS // 1_000:
        raise ValueError(f"timestamp: expected seconds since the epoch, got {text[:40]!r}")
    return int(seconds * 1_000_000_000)


def listing_of(symbol: str) -> Listing:
    base, quote = split_symbol(symbol.removesuffix("PERP") + ("USDC" if symbol.endswith("PERP") else ""))
    return Listing(symbol, base, quote, "inverse" if quote == "USD" else "linear")
