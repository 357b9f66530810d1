"""SyntheticMarket: an endless market from a seed, for when there is no recording at hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from random import Random
from typing import TypeVar

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import Exchange, InstrumentType, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import ConfigError
from mlthon.instruments.instrument import Instrument, InstrumentFields
from mlthon.instruments.instrument_ids import instrument_id, instrument_name
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot
from mlthon.sim.order_flow import Ladder, OrderFlow
from mlthon.sim.terms import Product

__all__ = ["SyntheticMarket"]

START_NS = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC
MIN_MID_TICKS = 10_000  # room for the book below the price, wherever the price goes
MAX_MID_TICKS = 10**12
LOTS = {Product.Linear: "0.001", Product.Inverse: "50", Product.Spot: "0.001"}

MarketEvent = DepthUpdate | PublicTrade
Step = TypeVar("Step", Price, Qty)


class SyntheticMarket:
    """An instrument whose order flow is drawn from a seed: by default a linear perpetual, BTCUSDT.

    Iterate it for ``(gap_ns, event)``, gap_ns being the time since the event before; it never ends. The first
    event is a snapshot of some 400 levels a side; on average about 30 depth updates and 5 trades follow a
    second. A market order's trades come first, then, in the same instant, the update that takes them from the
    book. Both stamps of an event are its time, counted from `start_ns`; sequence numbers grow by one a depth
    update.

    The same arguments give the same events in every process and every iteration. `mid` is where the price
    begins and is drawn back to; `tick` and `lot` are the instrument's steps, in which the flow counts. The other
    products are BTCUSD, inverse, in lots of 50 contracts by default, and BTCUSDT, spot. `exchange` is where it is
    listed. Raises ConfigError for a
    mid that is not a whole number of ticks, or of fewer than 10,000.

    >>> _, snapshot = next(iter(SyntheticMarket(7)))
    >>> snapshot.is_snapshot, snapshot.bids()[0][0], snapshot.asks()[0][0]
    (True, Price('60000.00000000'), Price('60000.10000000'))
    """

    def __init__(
        self,
        seed: int,
        *,
        mid: str | Price = "60000",
        tick: str | Price = "0.10",
        lot: str | Qty | None = None,
        start_ns: int = START_NS,
        product: Product = Product.Linear,
        exchange: Exchange = Exchange.Bybit,
    ) -> None:
        if not isinstance(seed, int):
            raise TypeError(f"seed: expected an integer, got {seed!r}")
        self.seed = seed
        self.start_ns = start_ns
        self.tick = positive("tick", Price(tick))
        self.product = product
        self.exchange = exchange
        self.lot = positive("lot", Qty(LOTS[product] if lot is None else lot))
        self.mid_tick, off_tick = divmod(positive("mid", Price(mid)).mantissa, self.tick.mantissa)
        if off_tick or not MIN_MID_TICKS <= self.mid_tick <= MAX_MID_TICKS:
            raise ConfigError(
                f"mid: expected {MIN_MID_TICKS} to {MAX_MID_TICKS} whole ticks of {self.tick}, got {mid}"
            )

    def __repr__(self) -> str:
        return f"SyntheticMarket({self.seed})"

    @property
    def origin(self) -> str:
        """What tells its market from others: each seed makes another."""
        return repr(self)

    @cached_property
    def instrument(self) -> Instrument:
        """What is traded: at Bybit ``byt:perp:BTC-USDT``, ``byt:perp:BTC-USD`` or ``byt:spot:BTC-USDT``."""
        is_inverse, is_spot = self.product is Product.Inverse, self.product is Product.Spot
        quote = "USD" if is_inverse else "USDT"
        kind = InstrumentType.Spot if is_spot else InstrumentType.Perpetual
        name = instrument_name(self.exchange, kind, f"BTC-{quote}")
        fields = InstrumentFields(
            instrument_id=instrument_id(self.exchange, name),
            instrument_type=kind,
            instrument_name=name,
            exch_instr_id=f"BTC{quote}",
            exchange=self.exchange,
            mlt_symbol=f"BTC-{quote}",
            price_tick_rules=self.tick,
            quantity_tick_rules=self.lot,
            multiplier=MLDecimal(1),
            min_quantity=self.lot,
            base_currency="BTC",
            quote_currency=quote,
            quantification="contracts" if is_inverse else "base",
            price_precision=decimals(self.tick),
            quantity_precision=decimals(self.lot),
        )
        return Spot(**fields) if is_spot else Perpetual(settlement_method=self.product.value, **fields)

    def __iter__(self) -> Iterator[tuple[int, MarketEvent]]:
        flow = OrderFlow(Random(self.seed), self.mid_tick)
        seconds = 0.0
        now_ns = last_ns = self.start_ns
        seq = 1
        trades = 0
        yield 0, self.depth_update(flow, now_ns, seq, is_snapshot=True)
        while True:
            step, is_order = flow.advance()
            seconds += step
            now_ns = self.start_ns + int(seconds * 1e9)
            gap_ns, last_ns = now_ns - last_ns, now_ns
            if is_order:
                is_buy, prints = flow.send_market_order()
                for tick, lots in prints:
                    trades += 1
                    yield gap_ns, self.trade(is_buy, tick, lots, now_ns, trades)
                    gap_ns = 0
            else:
                flow.requote()
            seq += 1
            yield gap_ns, self.depth_update(flow, now_ns, seq)

    def depth_update(
        self, flow: OrderFlow, now_ns: int, seq: int, *, is_snapshot: bool = False
    ) -> DepthUpdate:
        return DepthUpdate(
            self.changes(flow.bids),
            self.changes(flow.asks),
            is_snapshot=is_snapshot,
            venue_ns=now_ns,
            recv_ns=now_ns,
            seq=seq,
            prev_seq=-1 if is_snapshot else seq - 1,
        )

    def changes(self, ladder: Ladder) -> list[tuple[Price, Qty]]:
        tick, lot = self.tick.mantissa, self.lot.mantissa
        return [
            (Price.from_mantissa(ticks * tick), Qty.from_mantissa(lots * lot))
            for ticks, lots in ladder.take_changes()
        ]

    def trade(self, is_buy: bool, ticks: int, lots: int, now_ns: int, number: int) -> PublicTrade:
        return PublicTrade(
            Side.Buy if is_buy else Side.Sell,
            Price.from_mantissa(ticks * self.tick.mantissa),
            Qty.from_mantissa(lots * self.lot.mantissa),
            venue_ns=now_ns,
            recv_ns=now_ns,
            trade_id=str(number),
        )


def positive(name: str, step: Step) -> Step:
    if step.sign() <= 0:
        raise ConfigError(f"{name}: expected more than 0, got {step}")
    return step


def decimals(step: Price | Qty) -> int:
    return max(0, -int(step.to_decimal().as_tuple().exponent))
