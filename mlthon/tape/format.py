"""The tape's format: an Arrow IPC file of record batches, one instrument a file.

A row is one level of a depth message, one trade, one change of an order, or one rate; `docs/tape.md` says what each
column means in each of them. Any program that reads Arrow reads a tape. Prices and quantities are integers in units
of the last decimal: divide by ``10 ** price_decimals`` and ``10 ** qty_decimals``, which the schema's metadata name.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import orjson
import pyarrow as pa

from mlthon._core.tape_cursor import COLUMN_NAMES, SMALL_COLUMNS
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.instrument_utils import InstrumentUtils

__all__ = [
    "FORMAT_VERSION",
    "ROWS_PER_BATCH",
    "TEXT_ID",
    "TapeCounts",
    "TapeHeader",
    "bare_schema",
    "columns_of",
    "schema_of",
]

FORMAT_VERSION = 1
ROWS_PER_BATCH = 65_536
TEXT_ID = "text_id"  # the only column that a tape may lack, and the only one with nulls

MAX_DECIMALS = 18


@dataclass(slots=True)
class TapeCounts:
    """How much is on a tape."""

    rows: int = 0
    depth_messages: int = 0
    levels: int = 0
    trades: int = 0
    order_changes: int = 0
    rates: int = 0
    first_recv_ns: int = 0
    last_recv_ns: int = 0


@dataclass(frozen=True, slots=True)
class TapeHeader:
    """What the schema's metadata say of a tape.

    `clock_offset_ns` is how far the clock of the receive stamps is ahead of the venue's, as estimated (negative:
    behind); `source` says what the tape was made from, `origin` which venue was recorded ("" where nothing told);
    `notes` count by name what the import left out or repaired.
    """

    instrument: Instrument
    price_decimals: int
    qty_decimals: int
    clock_offset_ns: int
    source: str
    counts: TapeCounts
    notes: dict[str, int]
    origin: str = ""

    def to_metadata(self) -> dict[str, str]:
        """Write the header as an Arrow schema carries it."""
        return {
            "format": "mlthon-tape",
            "version": str(FORMAT_VERSION),
            "instrument": dumped(InstrumentUtils.get_json_from_instrument(self.instrument)),
            "price_decimals": str(self.price_decimals),
            "qty_decimals": str(self.qty_decimals),
            "clock_offset_ns": str(self.clock_offset_ns),
            "source": self.source,
            "counts": dumped(asdict(self.counts)),
            "notes": dumped(self.notes),
            "origin": self.origin,
        }

    @classmethod
    def from_metadata(cls, metadata: dict[bytes, bytes] | None) -> TapeHeader:
        """Read a header; raises ValueError, naming the key, for one that is not a tape's."""
        texts = {
            key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
            for key, value in (metadata or {}).items()
        }
        if texts.get("format") != "mlthon-tape":
            raise ValueError("expected an Arrow file with the metadata of a tape, got one without")
        if number(texts, "version", 0, 2**31) != FORMAT_VERSION:
            raise ValueError(f"expected a tape of version {FORMAT_VERSION}, got version {texts['version']}")
        return cls(
            instrument=InstrumentUtils.get_instrument_from_raw_msg(text(texts, "instrument")),
            price_decimals=number(texts, "price_decimals", 0, MAX_DECIMALS),
            qty_decimals=number(texts, "qty_decimals", 0, MAX_DECIMALS),
            clock_offset_ns=number(texts, "clock_offset_ns", -(2**62), 2**62),
            source=texts.get("source", ""),
            counts=TapeCounts(**integers(texts, "counts", set(TapeCounts.__slots__))),
            notes=integers(texts, "notes", None),
            origin=texts.get("origin", ""),  # tapes made before there was such a key lack it
        )


def schema_of(header: TapeHeader, *, text_ids: bool) -> pa.Schema:
    """The Arrow schema of a tape."""
    return bare_schema(text_ids=text_ids).with_metadata(header.to_metadata())


def bare_schema(*, text_ids: bool) -> pa.Schema:
    """The columns alone."""
    fields = [pa.field(name, type_of(name), nullable=False) for name in COLUMN_NAMES]
    return pa.schema([*fields, pa.field(TEXT_ID, pa.utf8())] if text_ids else fields)


def columns_of(schema: pa.Schema) -> bool:
    """Check a schema's columns, and tell whether it has text ids; raises ValueError for the wrong ones."""
    expected = [(name, type_of(name)) for name in COLUMN_NAMES]
    came = [(field.name, field.type) for field in schema]
    text_ids = came[len(expected) :] == [(TEXT_ID, pa.utf8())]
    if came[: len(expected)] != expected or (len(came) > len(expected) and not text_ids):
        shown = ", ".join(f"{name}: {kind}" for name, kind in came[:20])
        raise ValueError(
            f"expected the columns {', '.join(f'{name}: {kind}' for name, kind in expected)}"
            f" and perhaps {TEXT_ID}: {pa.utf8()}, got {shown or 'none'}"
        )
    return text_ids


def type_of(name: str) -> pa.DataType:
    return pa.uint8() if name in SMALL_COLUMNS else pa.int64()


def dumped(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def text(texts: dict[str, str], key: str) -> str:
    value = texts.get(key)
    if value is None:
        raise ValueError(f"metadata: key {key!r} is missing")
    return value


def number(texts: dict[str, str], key: str, low: int, high: int) -> int:
    value = text(texts, key)
    digits = value.removeprefix("-")
    if len(digits) > 20 or not (digits.isascii() and digits.isdigit()) or not low <= int(value) <= high:
        raise ValueError(f"metadata: {key}: expected an integer from {low} to {high}, got {value[:60]!r}")
    return int(value)


def integers(texts: dict[str, str], key: str, names: set[str] | None) -> dict[str, int]:
    """Read an object of integers; with `names`, one of these keys."""
    try:
        value = orjson.loads(text(texts, key))
    except orjson.JSONDecodeError as error:
        raise ValueError(f"metadata: {key}: expected JSON, got {texts[key][:60]!r}: {error}") from None
    if not isinstance(value, dict) or not all(type(count) is int for count in value.values()):
        raise ValueError(f"metadata: {key}: expected an object of integers, got {texts[key][:60]!r}")
    if names is not None and (
        value.keys() != names or not all(0 <= count < 2**62 for count in value.values())
    ):
        raise ValueError(
            f"metadata: {key}: expected {', '.join(sorted(names))}, from 0 to 2**62, got {texts[key][:60]!r}"
        )
    return value
