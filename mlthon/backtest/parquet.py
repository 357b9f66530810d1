"""Fills, orders and equity as Parquet files, exact to the last decimal.

Times are UTC timestamps in nanoseconds, numbers decimal128(38, 18).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlthon._core.fixed_column import FixedColumn
from mlthon.backtest.extras import require_extras
from mlthon.backtest.pnl import CURVE_COLUMNS
from mlthon.backtest.result import Result
from mlthon.backtest.trace import MARK_OUTS_S, NOBODYS
from mlthon.basics.defs import GtwRejectCode
from mlthon.engine.ports import OrderEvent
from mlthon.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow

__all__ = ["write_tables"]

_LIQUIDITY = ("taker", "maker", "liquidation")


def write_tables(result: Result, folder: Path) -> None:
    """Write fills.parquet, orders.parquet and equity.parquet into a folder; raises ConfigError."""
    require_extras(tables=True)
    import pyarrow.parquet as pq  # noqa: PLC0415  (an extra, and heavy)

    tables = {"fills": _fills(result), "orders": _orders(result), "equity": _equity(result)}
    for name, table in tables.items():
        path = folder / f"{name}.parquet"
        try:
            pq.write_table(table, path, compression="zstd")
        except OSError as error:
            raise ConfigError(f"result: cannot write {path}: {error.strerror or error}") from error


def _fills(result: Result) -> pyarrow.Table:
    rows, orders = result.trace.fills, result.trace.orders
    clients = [None if order == NOBODYS else orders.client_ids[order] for order in rows.order]
    return _table(
        {
            "time": _times(rows.ns),
            "instrument": _named(rows.instrument, _instrument_names(result)),
            "client_id": _texts(clients),
            "side": _named(rows.is_buy, ("Sell", "Buy")),
            "price": _decimals(rows.price),
            "qty": _decimals(rows.qty),
            "fee": _decimals(rows.fee),
            "fee_coin": _texts(rows.fee_coin),
            "liquidity": _named(rows.liquidity, _LIQUIDITY),
            "mid": _decimals(rows.mid),
            **{
                f"mid_after_{after_s}s": _decimals(marks)
                for after_s, marks in zip(MARK_OUTS_S, rows.marks, strict=True)
            },
        }
    )


def _orders(result: Result) -> pyarrow.Table:
    rows = result.trace.orders
    codes = {code.value: code.name for code in GtwRejectCode}
    events = ["", *(event.name for event in OrderEvent)]
    return _table(
        {
            "time": _times(rows.ns),
            "event": _named(rows.event, events),
            "client_id": _texts([rows.client_ids[order] for order in rows.order]),
            "instrument": _named(
                [rows.instruments[order] for order in rows.order], _instrument_names(result)
            ),
            "side": _named([rows.is_buy[order] for order in rows.order], ("Sell", "Buy")),
            "price": _decimals(rows.price),
            "qty": _decimals(rows.qty),
            "leaves_qty": _decimals(rows.leaves_qty),
            "code": _texts([codes.get(code) for code in rows.code]),
        }
    )


def _equity(result: Result) -> pyarrow.Table:
    import pyarrow as pa  # noqa: PLC0415

    parts = []
    for number, entry in enumerate(result.instruments):
        curve = entry.books.curve
        parts.append(
            _table(
                {
                    "time": _times(curve.ns),
                    "instrument": _named([number] * len(curve), _instrument_names(result)),
                    "coin": _texts([entry.books.coin] * len(curve)),
                    **{name: _decimals(curve[name]) for name in CURVE_COLUMNS if name != "net"},
                }
            )
        )
    return pa.concat_tables(parts)


# -- columns ---------------------------------------------------------------------------------------------------


def _table(columns: dict[str, Any]) -> pyarrow.Table:
    import pyarrow as pa  # noqa: PLC0415

    return pa.table(columns)


def _instrument_names(result: Result) -> list[str]:
    return [entry.name for entry in result.instruments]


def _times(ns: array[int]) -> pyarrow.Array:
    import pyarrow as pa  # noqa: PLC0415

    return pa.Array.from_buffers(pa.timestamp("ns", tz="UTC"), len(ns), [None, pa.py_buffer(ns)])


def _decimals(column: FixedColumn) -> pyarrow.Array:
    import pyarrow as pa  # noqa: PLC0415

    known = bytearray((len(column) + 7) // 8)
    for row, value in enumerate(column):
        if value is not None:
            known[row >> 3] |= 1 << (row & 7)
    buffers = [pa.py_buffer(known), pa.py_buffer(column.to_bytes())]
    return pa.Array.from_buffers(pa.decimal128(38, 18), len(column), buffers)


def _texts(texts: Sequence[str | None]) -> pyarrow.Array:
    import pyarrow as pa  # noqa: PLC0415

    return pa.array(texts, pa.string())


def _named(numbers: Iterable[int], names: Sequence[str]) -> pyarrow.Array:
    """Numbers as the names that they stand for, each written once."""
    import pyarrow as pa  # noqa: PLC0415

    return pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32()), pa.array(list(names), pa.string()))
