"""What clients and the simulated exchange say to each other: requests, refusals, orders, fills, views.

Everything here is a value. A `SimOrder` handed to a listener or returned by a call shows the order as it was
at that moment and never changes; ask the exchange again for a later state.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mlthon._core.sim_order import EndReason, OrderState, Origin, SelfTrade, SimOrder
from mlthon.basics.defs import TIF, OrderType, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import ConfigError

if TYPE_CHECKING:
    from mlthon._core.market_event import DepthUpdate, PublicTrade
    from mlthon.sim.account import Account

__all__ = [
    "EndReason",
    "Fees",
    "Limits",
    "NewOrder",
    "OrderState",
    "Origin",
    "Position",
    "QueueRule",
    "Refusal",
    "Refused",
    "SelfTrade",
    "SimFill",
    "SimListener",
    "SimOrder",
    "SimPayment",
    "Wallet",
    "check_rate",
]

_MAKER_RATE = MLDecimal("0.0002")
_TAKER_RATE = MLDecimal("0.00055")
_SPOT_RATE = MLDecimal("0.001")
_LEVERAGE = MLDecimal("10")
_MAINTENANCE_RATE = MLDecimal("0.005")


class QueueRule(Enum):
    """Who cancelled, when a book of prices shows less at a resting order's price and no trade says why.

    Of the R that stood at the price before, trades counted off, N are left; A of R stood in front of the order. How
    many do afterwards is told for each rule. The values are the matching engine's codes; `_core/followed_market.pyx`
    has more about them.
    """

    Behind = 0  #: those behind it, while there is anybody: min(A, N). Pessimistic, and the default
    Proportional = 1  #: anybody, as likely as anybody else: A x N / R
    Ahead = 2  #: those in front of it, while there is anybody: max(0, A - (R - N)). Optimistic


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A request to place an order. A market order has no price, and never rests whatever its ``tif``."""

    symbol: str  # the exchange's, "BTCUSDT" or for spot "BTC/USDT"
    side: Side
    qty: Qty
    price: Price | None = None
    order_type: OrderType = OrderType.Limit
    tif: TIF = TIF.GTC
    post_only: bool = False  # meaningful with GTC only
    reduce_only: bool = False
    link_id: str = ""  # the client's own id; "" for none
    self_trade: SelfTrade = SelfTrade.Allow
    by_value: bool = False  # spot market orders: qty counts the quote coin, to be spent or earned


class Refusal(Enum):
    """Why a request was refused on the spot. A refused request changes nothing."""

    UnknownSymbol = "UnknownSymbol"
    BadPrice = "BadPrice"  #: missing, not positive or off the tick
    BadQty = "BadQty"  #: too small, too large or off the lot; an amend below what is filled already
    BelowMinNotional = "BelowMinNotional"  #: price x qty, unless the order is reduce-only
    BadCombination = (
        "BadCombination"  #: a post-only IOC, a market order with a price, a reduce-only spot order, ...
    )
    DuplicateLinkId = "DuplicateLinkId"  #: used before by this account, open or not
    UnknownOrder = "UnknownOrder"
    OrderFilled = "OrderFilled"
    OrderEnded = "OrderEnded"  #: known, and already cancelled or rejected
    InsufficientFunds = "InsufficientFunds"
    ReduceOnly = "ReduceOnly"  #: a reduce-only order with nothing to reduce
    TooManyOrders = "TooManyOrders"
    NothingToChange = "NothingToChange"  #: an amend to what the order already is


class Refused(Exception):
    """The exchange refused a request; ``reason`` says why in code, ``text`` in words."""

    def __init__(self, reason: Refusal, text: str) -> None:
        super().__init__(f"{reason.value}: {text}")
        self.reason = reason
        self.text = text


class SimFill(NamedTuple):
    """One execution of one order. A trade between two clients makes two fills."""

    exec_id: int  # unique in the exchange, grows
    order_id: int
    link_id: str
    account: str
    symbol: str
    origin: Origin
    side: Side
    order_type: OrderType
    by_value: bool  # then order_qty and leaves_qty count the quote coin
    order_price: Price | None
    order_qty: Qty
    price: Price
    qty: Qty
    leaves_qty: Qty  # of the order, after this fill
    value: MLDecimal  # inverse: qty / price in the base coin, else price x qty in the quote coin
    fee: MLDecimal  # positive: paid
    fee_coin: str
    fee_rate: MLDecimal
    is_maker: bool
    closed_qty: Qty  # how much of qty closed an existing position
    realised_pnl: MLDecimal  # of the closed part, before fees
    exec_ns: int


@dataclass(frozen=True, slots=True)
class SimPayment:
    """Funding that an account paid or received for a position."""

    exec_id: int  # unique among the exchange's fills and payments, grows
    account: str
    symbol: str
    side: Side  # of the position: Buy is long
    size: Qty
    mark_price: Price
    value: MLDecimal  # of the position at the mark
    rate: MLDecimal  # as the account sees it: positive when it pays
    amount: MLDecimal  # positive: paid
    coin: str
    exec_ns: int


@dataclass(frozen=True, slots=True)
class Position:
    """An account's position in one contract. A flat one has zeros throughout, but keeps its totals.

    Money is in the coin that the contract is settled in.
    """

    symbol: str
    size: Qty  # positive: long; negative: short
    entry_value: MLDecimal  # what the open size cost; has the sign of size, inverse the opposite one
    avg_price: Price | None  # rounded; None when flat
    mark_price: Price | None  # mid, else last trade, else None
    unrealised_pnl: MLDecimal
    realised_pnl: MLDecimal  # since the account began, before fees
    fees: MLDecimal  # since the account began; positive: paid
    funding: MLDecimal  # since the account began; positive: paid
    margin: MLDecimal  # initial margin the position holds
    maintenance_margin: MLDecimal  # equity below the sum of these is liquidated; 0 without a mark
    liquidation_price: Price | None  # the mark at which that happens, all else as it is; None: never
    leverage: MLDecimal


@dataclass(frozen=True, slots=True)
class Wallet:
    """An account's money in one coin."""

    coin: str
    balance: MLDecimal  # deposits + realised pnl + what was traded for it - fees - funding
    unrealised_pnl: MLDecimal
    maintenance_margin: MLDecimal
    position_margin: MLDecimal
    order_margin: MLDecimal  # what open orders would add to the margin, at worst
    locked: MLDecimal  # what open spot orders would give away

    @property
    def equity(self) -> MLDecimal:
        return self.balance + self.unrealised_pnl

    @property
    def available(self) -> MLDecimal:
        """What new orders may use as margin; negative when losses have eaten it."""
        return self.equity - self.position_margin - self.order_margin - self.locked

    @property
    def spendable(self) -> MLDecimal:
        """What new spot orders may give away: profit that is not realised cannot be spent."""
        return min(self.available, self.available - self.unrealised_pnl)


def check_rate(name: str, rate: MLDecimal) -> None:
    """Raise ConfigError for a rate of a value that can only be a slip: a percentage, say."""
    if abs(rate) >= MLDecimal("1"):
        raise ConfigError(f"{name}: expected a rate between -1 and 1 (0.0002 is 0.02 %), got {rate}")


@dataclass(frozen=True, slots=True)
class Fees:
    """Fee rates on the value of a fill; a negative rate is a rebate."""

    maker: MLDecimal = _MAKER_RATE
    taker: MLDecimal = _TAKER_RATE
    spot_maker: MLDecimal = _SPOT_RATE
    spot_taker: MLDecimal = _SPOT_RATE

    def __post_init__(self) -> None:
        for rate in (self.maker, self.taker, self.spot_maker, self.spot_taker):
            check_rate("fee", rate)

    def rate(self, *, is_spot: bool, is_maker: bool) -> MLDecimal:
        if is_spot:
            return self.spot_maker if is_maker else self.spot_taker
        return self.maker if is_maker else self.taker


@dataclass(frozen=True, slots=True)
class Limits:
    """What the exchange allows an account, and how much of its past it remembers."""

    max_open_orders: int = 500  # of an account, in each contract, and in all spot pairs together
    history: int = 10_000  # closed orders, and fills, per account
    default_leverage: MLDecimal = _LEVERAGE
    maintenance_rate: MLDecimal = _MAINTENANCE_RATE  # of a position's value at the mark


class SimListener(Protocol):
    """What the exchange tells, always after it is consistent again.

    One operation tells, in this order: ``on_order(New)`` of an order that does not end at once, the fills,
    each touched order once, positions, wallets, trades, depth; then the liquidations that it led to, each in the
    same order, but that a symbol's depth is told once, with all that they too have changed of it. A listener may
    call the exchange; what that causes is told after everything already under way.
    """

    def on_order(self, order: SimOrder) -> None:
        """An order began, changed or ended."""

    def on_fill(self, fill: SimFill) -> None: ...

    def on_funding(self, payment: SimPayment) -> None:
        """Funding was paid or received; position and wallet follow."""

    def on_position(self, account: Account, symbol: str) -> None:
        """The position may have changed: read ``account.position(symbol)``."""

    def on_wallet(self, account: Account, coins: tuple[str, ...]) -> None:
        """These balances changed together: read ``account.wallet(coin)``."""

    def on_depth(self, symbol: str, update: DepthUpdate) -> None:
        """Displayed levels changed: absolute quantities, 0 for a level that is gone.

        ``seq`` is the last sequence number of the symbol's market source, ``venue_ns`` the market's time.
        """

    def on_trade(self, symbol: str, trade: PublicTrade) -> None:
        """A public trade: the market's own, or one in which a client took."""
