"""One listed instrument as clients see it: its formats, its last trades, and its statistics.

Statistics reach back to the venue's start, not 24 hours: nothing older has happened here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from mlthon._core.market_event import PublicTrade
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument
from mlthon.sim.terms import Terms
from mlthon.venues.bybit.klines import Klines
from mlthon.venues.bybit.wire import Formats, IdKind, WireIds, to_ms

_REMEMBERED_TRADES = 1000
_HIGHEST_PRICE_TICKS = 1_000_000_000
_LARGEST_ORDER_LOTS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TradeLine:
    """A public trade with what the venue adds to it."""

    trade: PublicTrade
    exec_id: str
    seq: int  # of the market's last depth message
    time_ms: int
    tick_direction: str


class Market:
    """What the venue knows of one symbol beside its book."""

    def __init__(self, traded_as: str, instrument: Instrument, ids: WireIds) -> None:
        self.terms = Terms.of(instrument)
        self.traded_as = traded_as  # the exchange's symbol
        self.category: str = self.terms.product.value
        self.instrument = instrument
        self.symbol: str = instrument.get_exch_instr_id()
        self.settle_coin = self.terms.coin  # of spot: the quote coin
        self.formats = Formats(instrument)
        self.max_price: Price = instrument.get_price_tick_rules() * _HIGHEST_PRICE_TICKS
        self.max_qty: Qty = (
            instrument.get_max_quantity() or instrument.get_quantity_tick_rules() * _LARGEST_ORDER_LOTS
        )
        self.trades: deque[TradeLine] = deque(maxlen=_REMEMBERED_TRADES)  # newest last
        self.first_price: Price | None = None
        self.high_price: Price | None = None
        self.low_price: Price | None = None
        self.volume = Qty("0")
        self.turnover = MLDecimal("0")
        self.klines = Klines()
        self._ids = ids
        self._trade_count = 0
        self._direction = "ZeroPlusTick"

    @property
    def is_spot(self) -> bool:
        return self.terms.is_spot

    @property
    def last_price(self) -> Price | None:
        return self.trades[-1].trade.price if self.trades else None

    def add_trade(self, trade: PublicTrade, seq: int, now_ms: int) -> TradeLine:
        """Remember a public trade."""
        price = trade.price
        self._direction = _tick_direction(self._direction, self.last_price, price)
        self._trade_count += 1
        line = TradeLine(
            trade=trade,
            exec_id=trade.trade_id or self._ids.encode(IdKind.TRADE, self._trade_count),
            seq=seq,
            time_ms=to_ms(trade.venue_ns) or now_ms,
            tick_direction=self._direction,
        )
        self.trades.append(line)
        self.first_price = self.first_price or price
        self.high_price = price if self.high_price is None else max(self.high_price, price)
        self.low_price = price if self.low_price is None else min(self.low_price, price)
        value = self.terms.value(price, trade.qty)
        self.volume += trade.qty
        self.turnover += value
        self.klines.add(line.time_ms, price, trade.qty, value)
        return line


def _tick_direction(before: str, last: Price | None, price: Price) -> str:
    if last is None or price == last:
        return before if before.startswith("Zero") else f"Zero{before}"
    return "PlusTick" if price > last else "MinusTick"
