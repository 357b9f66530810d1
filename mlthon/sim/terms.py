"""What is traded under a symbol (linear contracts, inverse contracts, or a pair of coins), and what a fill moves.

All amounts are exact but for one rounding, half-even at the 18th decimal, of a fill's value. A value is worked out
once a fill, and is the same for both its sides: whatever was rounded, nothing is lost or made.

| product | quantity counts | value of a fill | settled in |
|---|---|---|---|
| linear | the base coin | price x qty | the quote coin |
| inverse | contracts of one quote unit | qty / price | the base coin |
| spot | the base coin | price x qty | both: the base coin changes hands against the value in the quote coin |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import ConfigError
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot
from mlthon.order.position import InversePosition, Position

__all__ = ["Product", "Terms", "symbol_of"]

_ONE = MLDecimal("1")
_FINEST_AVERAGE = Price("0.00000001")


class Product(Enum):
    """What kind of thing is traded; the values are the settlement methods of perpetuals, and ``"spot"``."""

    Linear = "linear"
    Inverse = "inverse"
    Spot = "spot"


def symbol_of(instrument: Instrument) -> str:
    """The exchange's name for an instrument: the venue's own, or ``"BTC/USDT"`` for spot.

    Venues give a pair and the contract on it one name, BTCUSDT, and tell them apart by other means.
    """
    if isinstance(instrument, Spot):
        return f"{instrument.get_base_currency()}/{instrument.get_quote_currency()}"
    return str(instrument.get_exch_instr_id())


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms on which a symbol is traded."""

    symbol: str
    product: Product
    base: str  # "" where a linear contract does not name it: nothing depends on it
    quote: str
    is_spot: bool = field(init=False)
    coin: str = field(init=False)  # what values are counted in, and contracts are settled in
    coins: tuple[str, ...] = field(init=False)  # in which a fill moves money

    @classmethod
    def of(cls, instrument: Instrument) -> Terms:
        """The terms of an instrument; raises ConfigError when it does not tell them."""
        product = _product_of(instrument)
        base, quote = instrument.get_base_currency(), instrument.get_quote_currency()
        if quote is None or (base is None and product is not Product.Linear):
            raise ConfigError(
                f"{instrument!r}: expected base_currency and quote_currency to be set, to trade it"
            )
        if instrument.get_exch_instr_id() is None:
            raise ConfigError(f"{instrument!r}: expected exch_instr_id to be set, to trade it")
        if instrument.get_multiplier() not in (None, _ONE):
            raise ConfigError(
                f"{instrument!r}: expected a multiplier of 1, got {instrument.get_multiplier()}"
            )
        return cls(symbol_of(instrument), product, base or "", quote)

    def __post_init__(self) -> None:
        is_spot = self.product is Product.Spot
        coin = self.base if self.product is Product.Inverse else self.quote
        object.__setattr__(self, "is_spot", is_spot)
        object.__setattr__(self, "coin", coin)
        object.__setattr__(self, "coins", (self.base, self.quote) if is_spot else (coin,))

    def value(self, price: Price, qty: Qty) -> MLDecimal:
        """What a quantity is worth at a price, in `coin`; raises OverflowError beyond what can be counted."""
        if self.product is Product.Inverse:
            return qty.to_mldecimal() / price.to_mldecimal()
        return price * qty

    def price_at(self, value: MLDecimal, qty: Qty) -> Price:
        """The price at which a quantity is worth a value, both above zero."""
        if self.product is Product.Inverse:
            return Price.from_mantissa((qty.to_mldecimal() / value).mantissa)
        return value / qty

    def average_price(self, value: MLDecimal, qty: Qty) -> Price | None:
        """The same, as finely as values tell it: of inverse contracts 8 decimals. None for nothing."""
        if qty.is_zero() or value.is_zero():
            return None
        price = self.price_at(value, qty)
        return price.round_nearest(_FINEST_AVERAGE) if self.product is Product.Inverse else price

    def gains_with_value(self, side: Side) -> bool:
        """Whether a position of a side gains when its `value` grows: not that of an inverse contract held long."""
        return (side is Side.Buy) is not (self.product is Product.Inverse)

    def new_position(self) -> Position:
        """An empty position in a contract."""
        return InversePosition() if self.product is Product.Inverse else Position()

    def outlay_coin(self, side: Side) -> str:
        """What an order to open ties up: margin in the settlement coin; in spot, the coin that is given."""
        return self.base if self.is_spot and side is Side.Sell else self.coin

    def outlay(self, side: Side, price: Price, qty: Qty) -> MLDecimal:
        """How much of `outlay_coin` an order is about: its value; of a spot sale, its quantity."""
        return qty.to_mldecimal() if self.is_spot and side is Side.Sell else self.value(price, qty)

    def fee(self, side: Side, price: Price, qty: Qty, rate: MLDecimal) -> tuple[str, MLDecimal]:
        """The coin and the amount of a fill's fee; a rebate, of a negative rate, is negative.

        Contracts pay in the settlement coin. Spot pays in the coin received, and is paid rebates in the coin given.
        """
        in_base = self.is_spot and (side is Side.Buy) is (rate.sign() >= 0)
        if in_base:
            return self.base, qty * rate
        return self.coin, self.value(price, qty) * rate


def _product_of(instrument: Instrument) -> Product:
    if isinstance(instrument, Spot):
        return Product.Spot
    if isinstance(instrument, Perpetual):
        method = instrument.get_settlement_method()
        if method in ("linear", "inverse"):
            return Product(method)
        raise ConfigError(f"{instrument!r}: expected settlement_method linear or inverse, got {method!r}")
    raise ConfigError(
        f"{instrument!r}: expected a perpetual or a spot pair, got a {type(instrument).__name__}"
    )
