"""Tardis's downloadable CSV files: incremental_book_L2, trades, quotes, derivative_ticker.

Stamps are microseconds: ``timestamp`` is the venue's, ``local_timestamp`` the receiver's. Rows of the book that were
received at one time are one message. Quotes are a book of one level a side, told whole each time. A ticker's rates
are told when they change. The columns are described at docs.tardis.dev, "Downloadable CSV files".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import Literal

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import RateUpdate
from mlthon.basics.defs import Side
from mlthon.errors import TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.tape.listing import Listing, instrument_of, split_symbol
from mlthon.tape.plain_lines import Row, decoded, first_line, read_rows
from mlthon.tape.recording import TapeEvent

__all__ = ["TardisCsv"]

RateKind = Literal["funding", "mark", "index"]

STAMPS = {"exchange", "symbol", "timestamp", "local_timestamp"}
BOOK = STAMPS | {"is_snapshot", "side", "price", "amount"}
TRADES = STAMPS | {"id", "side", "price", "amount"}
QUOTES = STAMPS | {"ask_amount", "ask_price", "bid_price", "bid_amount"}
TICKER = STAMPS | {"funding_timestamp", "funding_rate", "index_price", "mark_price"}

NS_PER_US = 1_000
MAX_US = 2**62 // NS_PER_US
SPOT_EXCHANGES = {
    "binance",
    "bitfinex",
    "bitstamp",
    "bybit-spot",
    "coinbase",
    "gemini",
    "huobi",
    "kraken",
    "okex",
}
COIN_NAMES = {"XBT": "BTC"}
ORIGINS = {  # of exchanges that Tardis has in parts
    "binance-futures": "binance",
    "binance-delivery": "binance",
    "bybit-spot": "bybit",
    "bitfinex-derivatives": "bitfinex",
    "okex": "okx",
    "okex-swap": "okx",
    "okex-futures": "okx",
    "huobi-dm": "huobi",
    "huobi-dm-swap": "huobi",
    "huobi-dm-linear-swap": "huobi",
    "cryptofacilities": "kraken",
}


class TardisCsv:
    """One of Tardis's files, as a recording of one instrument; `matches` tells them from others.

    Raises TapeError, naming the line, for a file that is cut off, has a wrong value, or more than one symbol.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.counts: Counter[str] = Counter()

    @staticmethod
    def matches(line: bytes) -> bool:
        """Whether this is the first line of a file that can be read here."""
        names = names_in(line)
        return names >= STAMPS

    @cached_property
    def instrument(self) -> Instrument:
        """What was recorded, as the simulated venue lists it."""
        for number, row in read_rows(self.path):
            listing = decoded(self.path, number, partial(listing_of, row["exchange"], row["symbol"]))
            return instrument_of(listing, self.events(), self.path)
        raise TapeError(f"{self.path}: expected rows, got none")

    @cached_property
    def origin(self) -> str:
        """The venue that the rows name."""
        for _, row in read_rows(self.path):
            return ORIGINS.get(row["exchange"], row["exchange"])
        raise TapeError(f"{self.path}: expected rows, got none")

    def notes(self) -> dict[str, int]:
        """What the last pass left out, by name."""
        return dict(self.counts)

    def events(self) -> Iterator[TapeEvent]:
        """Read it from its start."""
        self.counts = Counter()
        names = names_in(first_line(self.path))
        if names >= BOOK:
            return self.book()
        if names >= TICKER:
            return self.ticker()
        if names >= TRADES:
            return self.one_by_one(trade_of)
        if names >= QUOTES:
            return self.one_by_one(quote_of)
        raise TapeError(
            f"{self.path}: expected incremental_book_L2, trades, quotes or derivative_ticker of Tardis, got columns"
            f" {', '.join(sorted(names - STAMPS)[:6])}"
        )

    def rows(self) -> Iterator[tuple[int, Row]]:
        """The rows, all of one symbol."""
        symbol = None
        for number, row in read_rows(self.path):
            symbol = row["symbol"] if symbol is None else symbol
            if row["symbol"] != symbol:
                raise TapeError(
                    f"{self.path}: line {number}: expected {symbol} as before, got {row['symbol'][:40]}:"
                    " one file is one instrument"
                )
            yield number, row

    def book(self) -> Iterator[TapeEvent]:
        started = False
        for _, group in groupby(self.rows(), key=received_with):
            rows = list(group)
            update = decoded(self.path, rows[0][0], partial(depth_of, [row for _, row in rows]))
            started |= update.is_snapshot
            if started:
                yield update
            else:
                self.counts["depth_before_snapshot"] += 1

    def one_by_one(self, decode: Callable[[Row], TapeEvent]) -> Iterator[TapeEvent]:
        for number, row in self.rows():
            yield decoded(self.path, number, partial(decode, row))

    def ticker(self) -> Iterator[TapeEvent]:
        last: dict[str, tuple[str, str]] = {}
        for number, row in self.rows():
            told: list[tuple[RateKind, str, str]] = [
                ("funding", row["funding_rate"], row["funding_timestamp"]),
                ("mark", row["mark_price"], ""),
                ("index", row["index_price"], ""),
            ]
            for kind, value, due in told:
                if value and last.get(kind) != (value, due):
                    last[kind] = value, due
                    yield decoded(self.path, number, partial(rate_of, kind, value, due, row))


def names_in(line: bytes) -> set[str]:
    return set(line.decode("utf-8", "replace").strip().split(","))


def received_with(numbered: tuple[int, Row]) -> tuple[str, str]:
    """What rows of one message have in common."""
    _, row = numbered
    return row["local_timestamp"], row["is_snapshot"]


def depth_of(rows: list[Row]) -> DepthUpdate:
    sides: dict[str, list[tuple[str, str]]] = {"bid": [], "ask": []}
    for row in rows:
        if row["side"] not in sides:
            raise ValueError(f"side: expected bid or ask, got {row['side'][:40]!r}")
        if row["is_snapshot"] not in ("true", "false"):
            raise ValueError(f"is_snapshot: expected true or false, got {row['is_snapshot'][:40]!r}")
        sides[row["side"]].append((row["price"], row["amount"]))
    is_snapshot = rows[0]["is_snapshot"] == "true"
    venue_ns, recv_ns = stamps_of(rows[-1])
    return DepthUpdate(
        sides["bid"], sides["ask"], is_snapshot=is_snapshot, venue_ns=venue_ns, recv_ns=recv_ns
    )


def trade_of(row: Row) -> PublicTrade:
    sides = {"buy": Side.Buy, "sell": Side.Sell}
    if row["side"] not in sides:
        raise ValueError(f"side: expected buy or sell, got {row['side'][:40]!r}")
    venue_ns, recv_ns = stamps_of(row)
    return PublicTrade(
        sides[row["side"]],
        row["price"],
        row["amount"],
        venue_ns=venue_ns,
        recv_ns=recv_ns,
        trade_id=row["id"],
    )


def quote_of(row: Row) -> DepthUpdate:
    """A best quote; a side that is not told is empty."""
    bids = [(row["bid_price"], row["bid_amount"])] if row["bid_price"] else []
    asks = [(row["ask_price"], row["ask_amount"])] if row["ask_price"] else []
    venue_ns, recv_ns = stamps_of(row)
    return DepthUpdate(bids, asks, is_snapshot=True, venue_ns=venue_ns, recv_ns=recv_ns)


def rate_of(kind: RateKind, value: str, due: str, row: Row) -> RateUpdate:
    venue_ns, recv_ns = stamps_of(row)
    due_ns = ns_of("funding_timestamp", due) if due else 0
    return RateUpdate(kind, value, due_ns=due_ns, venue_ns=venue_ns, recv_ns=recv_ns)


def stamps_of(row: Row) -> tuple[int, int]:
    return ns_of("timestamp", row["timestamp"]), ns_of("local_timestamp", row["local_timestamp"])


def ns_of(name: str, text: str) -> int:
    """Microseconds as nanoseconds."""
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or int(text) > MAX_US:
        raise ValueError(f"{name}: expected microseconds since the epoch, got {text[:40]!r}")
    return int(text) * NS_PER_US


def listing_of(exchange: str, symbol: str) -> Listing:
    """What an exchange's symbol trades: ``BTCUSDT``, ``BTC-PERPETUAL``, ``XBTUSD``, ``BTC-USD``, ``BTC/USD``."""
    plain = symbol.upper().replace("-PERPETUAL", "-USD").replace("-SWAP", "").replace("_PERP", "")
    for separator in ("-", "/", "_"):
        base, separated, quote = plain.partition(separator)
        if separated and base and quote:
            break
    else:
        base, quote = split_symbol(plain)
    base = COIN_NAMES.get(base, base)
    is_spot = exchange in SPOT_EXCHANGES
    return Listing(symbol, base, quote, "spot" if is_spot else "inverse" if quote == "USD" else "linear")
