"""hftbacktest's normalised data: an npz with a structured array of events, as floats.

Of an event's flags the low byte says what it is, bit 29 that it is of the buy side, bit 28 of the sell side, bit 30
that it is seen locally (at ``local_ts``), bit 31 that it is seen by the exchange (at ``exch_ts``). Files in which the
two orders differ hold an event twice, once for each; the local one counts here. Rows of one kind with equal stamps
are one message. Numbers are floats there and are read with 12 significant digits. The codes are listed in the
project's documentation ("Data", "Types").
"""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import OrderChange
from mlthon.basics.defs import Side
from mlthon.errors import TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.tape.listing import Listing, instrument_of, split_symbol

__all__ = ["HftbacktestData"]

DEPTH, TRADE, CLEAR, SNAPSHOT, BEST = 1, 2, 3, 4, 5
ORDER_ACTIONS: dict[int, Literal["add", "modify", "delete"]] = {10: "add", 11: "delete", 12: "modify"}
FILL = 13
KIND_MASK = 0xFF
SEEN_LOCALLY, BUY, SELL = 1 << 30, 1 << 29, 1 << 28
FIELDS = ("ev", "exch_ts", "local_ts", "px", "qty", "order_id", "ival", "fval")
ROWS_AT_ONCE = 65_536
MAX_NS = 2**62

TapeEvent = DepthUpdate | PublicTrade | OrderChange
Key = tuple[int, int, int]  # kind, local_ts, exch_ts
Row = tuple[int, Side, str, str, int]  # row number, side, price, qty, order id


class HftbacktestData:
    """A file as a recording; `matches` tells it from others.

    The file does not name its market: the symbol is the start of the file's name, up to the first ``_``, ``-`` or
    ``.``, and traded as a linear perpetual. Raises TapeError, naming the row, for what is not such data.
    """

    origin = ""  # a file does not name its venue

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.counts: Counter[str] = Counter()

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether a file is a zip that holds numpy arrays."""
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, NotImplementedError, OSError):
            return False
        return bool(names) and all(name.endswith(".npy") for name in names)

    @cached_property
    def instrument(self) -> Instrument:
        """What was recorded, by the file's name."""
        symbol = self.path.name.upper().replace("-", "_").replace(".", "_").partition("_")[0]
        try:
            base, quote = split_symbol(symbol)
        except ValueError as error:
            raise TapeError(f"{self.path}: the file's name should begin with the symbol: {error}") from error
        return instrument_of(Listing(symbol, base, quote, "linear"), self.events(), self.path)

    def notes(self) -> dict[str, int]:
        """What the last pass left out, by name."""
        return dict(self.counts)

    def events(self) -> Iterator[TapeEvent]:
        """Read it from its start."""
        self.counts = Counter()
        key: Key | None = None
        rows: list[Row] = []
        for row_key, row in self.rows():
            if rows and (row_key != key or row_key[0] == TRADE or row_key[0] in ORDER_ACTIONS):
                yield self.message(key, rows)
                rows = []
            key = row_key
            rows.append(row)
        if rows:
            yield self.message(key, rows)

    def rows(self) -> Iterator[tuple[Key, Row]]:
        """The rows that tell something, by message."""
        number = -1
        cleared: set[tuple[int, int]] = set()  # of stamps, where a clear waits for its snapshot
        for chunk in self.chunks():
            for ev, exch_ts, local_ts, px, qty, order_id, _, _ in chunk.tolist():
                number += 1
                kind = ev & KIND_MASK
                if not ev & SEEN_LOCALLY:
                    self.counts["exchange_only_rows"] += 1
                elif kind in (BEST, FILL):
                    self.counts["best_quotes" if kind == BEST else "fills"] += 1
                elif kind == CLEAR:
                    cleared = {(local_ts, exch_ts)}
                    self.counts["clears"] += 1
                else:
                    self.check(number, kind, ev, local_ts, exch_ts)
                    if cleared and (kind != SNAPSHOT or (local_ts, exch_ts) not in cleared):
                        raise TapeError(
                            f"{self.path}: row {number}: expected a snapshot after a clear, got kind {kind}"
                        )
                    cleared = set()
                    side = Side.Buy if ev & BUY else Side.Sell
                    yield (kind, local_ts, exch_ts), (number, side, f"{px:.12g}", f"{qty:.12g}", order_id)

    def check(self, number: int, kind: int, ev: int, local_ts: int, exch_ts: int) -> None:
        if kind not in (DEPTH, TRADE, SNAPSHOT) and kind not in ORDER_ACTIONS:
            raise TapeError(f"{self.path}: row {number}: ev: expected a known kind, got {kind}")
        if bool(ev & BUY) == bool(ev & SELL):
            raise TapeError(f"{self.path}: row {number}: ev: expected either a buy or a sell, got {ev:#x}")
        if not (0 <= local_ts < MAX_NS and 0 <= exch_ts < MAX_NS):
            raise TapeError(
                f"{self.path}: row {number}: expected stamps in nanoseconds, got {local_ts}, {exch_ts}"
            )

    def message(self, key: Key | None, rows: list[Row]) -> TapeEvent:
        """The event that rows of one message make."""
        assert key is not None
        kind, recv_ns, venue_ns = key
        number, side, price, qty, order_id = rows[0]
        try:
            if kind == TRADE:
                return PublicTrade(side, price, qty, venue_ns=venue_ns, recv_ns=recv_ns)
            if kind in ORDER_ACTIONS:
                action = ORDER_ACTIONS[kind]
                left = "0" if action == "delete" else qty
                return OrderChange(action, order_id, side, price, left, venue_ns=venue_ns, recv_ns=recv_ns)
            bids = [(price, qty) for _, side, price, qty, _ in rows if side is Side.Buy]
            asks = [(price, qty) for _, side, price, qty, _ in rows if side is Side.Sell]
            return DepthUpdate(bids, asks, is_snapshot=kind == SNAPSHOT, venue_ns=venue_ns, recv_ns=recv_ns)
        except (TypeError, ValueError, OverflowError) as error:
            raise TapeError(f"{self.path}: rows from {number} on: {error}") from error

    def chunks(self) -> Iterator[Any]:
        """The array, piece by piece: a day does not fit in memory."""
        import numpy as np  # noqa: PLC0415  (an extra)

        try:
            with zipfile.ZipFile(self.path) as archive:
                names = archive.namelist()
                if len(names) != 1:
                    raise TapeError(
                        f"{self.path}: expected one array, got {len(names)}: {', '.join(names)[:80]}"
                    )
                with archive.open(names[0]) as member:
                    version = np.lib.format.read_magic(member)
                    read_header = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    shape, _, dtype = read_header(member)
                    if dtype.hasobject or dtype.names != FIELDS or len(shape) != 1:
                        raise TapeError(
                            f"{self.path}: expected rows of {', '.join(FIELDS)}, got {dtype!s:.80} in shape {shape}"
                        )
                    left = shape[0]
                    while left > 0:
                        rows = min(left, ROWS_AT_ONCE)
                        data = read_exactly(member, rows * dtype.itemsize)
                        if len(data) < rows * dtype.itemsize:
                            raise TapeError(f"{self.path}: expected {left} more rows, the file is cut off")
                        yield np.frombuffer(data, dtype)
                        left -= rows
        except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError) as error:
            raise TapeError(f"{self.path}: expected an npz that can be read: {str(error)[:200]}") from error


def read_exactly(member: IO[bytes], size: int) -> bytes:
    """Read so many bytes, fewer only at the end."""
    parts = []
    while size > 0 and (part := member.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
