"""One listed instrument inside the exchange: its terms, its rules as numbers, its matching engine, its prices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mlthon._core.matching import MatchingEngine
from mlthon._core.order_entry import OrderRules
from mlthon._core.plain_exchange import PlainMarket
from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import ConfigError
from mlthon.instruments.instrument import Instrument
from mlthon.sim.funding import FundingMeter, FundingRules
from mlthon.sim.orders import NewOrder, QueueRule, Refusal, Refused
from mlthon.sim.terms import Product, Terms

__all__ = ["SymbolMarket"]

Value = TypeVar("Value")

LARGEST_QTY = Qty.from_mantissa(2**110)  # of the matching engine: more than 10**15 units
ONE = 10**18  # the mantissa of one
TOLD_FOR_NS = 300 * 10**9  # recordings tell changes, and a mark that stands still for longer is rare


class SymbolMarket(PlainMarket):
    """What is traded under one symbol. Raises ConfigError for an instrument that lacks what trading needs."""

    def __init__(
        self,
        instrument: Instrument,
        funding: FundingRules,
        queue_rule: QueueRule = QueueRule.Behind,
    ) -> None:
        self.instrument = instrument
        self.terms = Terms.of(instrument)
        self._tick: Price = required(instrument, "price_tick_rules", instrument.get_price_tick_rules())
        self._lot: Qty = required(instrument, "quantity_tick_rules", instrument.get_quantity_tick_rules())
        if self.terms.is_spot and not is_exact(self._tick, self._lot):
            raise ConfigError(
                f"{instrument!r}: expected price x qty of a spot pair to have 18 decimals at most,"
                f" got steps of {self._tick} and {self._lot}"
            )
        self._min_qty: Qty = instrument.get_min_quantity() or self._lot
        self._max_qty = min(instrument.get_max_quantity() or LARGEST_QTY, LARGEST_QTY)
        self._min_notional = instrument.get_min_notional() or MLDecimal("0")
        super().__init__(
            self.terms.symbol,
            MatchingEngine(queue_rule.value, valued_at_mark=not self.terms.is_spot),
            self._rules(),
            is_spot=self.terms.is_spot,
        )
        self.mark_price: Callable[[], Price | None] = self.engine.mark_price
        self.funding = FundingMeter(funding)  # of contracts
        self._marked_ns = self._indexed_ns = 0  # when a mark and an index were told last

    def tell_mark(self, price: Price, now_ns: int) -> None:
        """Mark at a recorded price, until another is told or it is too old."""
        self.engine.tell_mark(price)
        self._marked_ns = now_ns

    def tell_index(self, price: Price, now_ns: int) -> None:
        """Take a recorded index, until another is told or it is too old."""
        self.funding.told_index = price
        self._indexed_ns = now_ns

    def forget_old_prices(self, now_ns: int) -> None:
        """Go by the book again where what was told last is no longer to be believed: the recording has ended."""
        if now_ns - self._marked_ns > TOLD_FOR_NS:
            self.engine.tell_mark(None)
        if now_ns - self._indexed_ns > TOLD_FOR_NS:
            self.funding.told_index = None

    def round_to_tick(self, price: Price, *, up: bool) -> Price:
        """A price on the tick: the next one up, or down but above zero."""
        return price.round_up(self._tick) if up else max(price.round_down(self._tick), self._tick)

    @property
    def lot(self) -> Qty:
        return self._lot

    def outlay(self, order: NewOrder) -> MLDecimal:
        """What an order ties up before it has traded: a market order at the best price it would meet."""
        if order.by_value and order.side is Side.Buy:
            return order.qty.to_mldecimal()
        price = order.price or self._price_to_meet(order.side)
        if price is None:
            return MLDecimal("0")
        if order.by_value:
            return (
                Qty.from_mantissa(order.qty.mantissa * ONE // price.mantissa)
                .round_down(self._lot)
                .to_mldecimal()
            )
        value = self.value(price, order.qty)
        return order.qty.to_mldecimal() if self.terms.is_spot and order.side is Side.Sell else value

    def _price_to_meet(self, side: Side) -> Price | None:
        best = self.engine.best_ask() if side is Side.Buy else self.engine.best_bid()
        return best or self.engine.last_price()

    def value(self, price: Price, qty: Qty) -> MLDecimal:
        """What a quantity is worth; raises Refused when that is beyond what can be counted."""
        try:
            return self.terms.value(price, qty)
        except OverflowError:
            raise Refused(Refusal.BadQty, f"{qty} at {price} is worth more than can be counted") from None

    def _rules(self) -> OrderRules:
        """The rules below as integers, for plain orders: what keeps them is not refused for one of them."""
        return OrderRules(
            self.instrument,
            tick=self._tick,
            lot=self._lot,
            min_qty=self._min_qty,
            max_qty=self._max_qty,
            min_notional=self._min_notional,
            worth_qty=self.terms.product is Product.Inverse,
        )

    # -- rules for orders --------------------------------------------------------------------------------------

    def check_price(self, price: Price) -> None:
        """Raise Refused for a price that is not a positive multiple of the tick."""
        if price.sign() <= 0 or price.mantissa % self._tick.mantissa:
            raise Refused(
                Refusal.BadPrice, f"price: expected a positive multiple of {self._tick}, got {price}"
            )

    def check_qty(self, qty: Qty) -> None:
        """Raise Refused for a quantity off the lot or out of bounds."""
        if not self._min_qty <= qty <= self._max_qty:
            raise Refused(Refusal.BadQty, f"qty: expected {self._min_qty} to {self._max_qty}, got {qty}")
        if qty.mantissa % self._lot.mantissa:
            raise Refused(Refusal.BadQty, f"qty: expected a multiple of {self._lot}, got {qty}")

    def check_value(self, value: Qty) -> None:
        """Raise Refused for a market order's value that is finer than prices and quantities can add up to."""
        step = self._tick.mantissa * self._lot.mantissa // ONE
        if value.sign() <= 0 or value.mantissa % step or value > LARGEST_QTY:
            finest = MLDecimal.from_mantissa(step)
            raise Refused(Refusal.BadQty, f"qty: expected a positive multiple of {finest}, got {value}")
        self.check_least(value.to_mldecimal())

    def check_notional(self, price: Price, qty: Qty) -> None:
        """Raise Refused when an order is worth less than the least, in the quote coin."""
        self.check_least(
            qty.to_mldecimal() if self.terms.product is Product.Inverse else self.value(price, qty)
        )

    def check_least(self, notional: MLDecimal) -> None:
        """Raise Refused for less than the least value of an order."""
        if notional < self._min_notional:
            raise Refused(
                Refusal.BelowMinNotional,
                f"order value: expected {self._min_notional} or more, got {notional}",
            )


def is_exact(tick: Price, lot: Qty) -> bool:
    """Whether price x qty never needs rounding, so that what an order locks is what its fills take."""
    return tick.mantissa * lot.mantissa % ONE == 0


def required(instrument: Instrument, name: str, value: Value | None) -> Value:
    if value is None:
        raise ConfigError(f"{instrument!r}: expected {name} to be set, to trade it")
    return value
