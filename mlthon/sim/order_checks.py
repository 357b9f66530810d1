"""What is asked of orders before they reach the matching engine. All of it raises Refused, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

from mlthon.basics.defs import TIF, OrderType, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.sim.account import Account
from mlthon.sim.ledger import ZERO
from mlthon.sim.orders import NewOrder, OrderState, Refusal, Refused, SimOrder
from mlthon.sim.symbol_market import LARGEST_QTY, SymbolMarket
from mlthon.sim.terms import Terms

__all__ = ["OrderChecks", "bounds"]


class OrderChecks:
    """Holds orders to the rules of what they trade, and to what their account can cover."""

    def __init__(self, max_open_orders: int, now_ns: Callable[[], int]) -> None:
        self._max_open_orders = max_open_orders
        self._now_ns = now_ns

    def check_new(self, account: Account, market: SymbolMarket, order: NewOrder) -> None:
        """Refuse a new order that must not be."""
        check_combination(order, market.terms)
        if order.price is not None:
            market.check_price(order.price)
        if order.by_value:
            market.check_value(order.qty)
        else:
            market.check_qty(order.qty)
        if order.link_id and account.archive.is_link_used(order.link_id):
            raise Refused(Refusal.DuplicateLinkId, f"link id: {order.link_id!r} was used before")
        if account.open_orders_in(order.symbol) >= self._max_open_orders:
            raise Refused(Refusal.TooManyOrders, f"orders: at most {self._max_open_orders} in {order.symbol}")
        if order.reduce_only:
            self._check_reduces(account, order)
            return
        if order.price is not None:
            market.check_notional(order.price, order.qty)
        self._check_funds(account, market, order.side, market.outlay(order))

    def _check_reduces(self, account: Account, order: NewOrder) -> None:
        held = account.purse.position(order.symbol).size
        if held.sign() != (-1 if order.side is Side.Buy else 1):
            raise Refused(Refusal.ReduceOnly, f"reduce-only: nothing to reduce in a position of {held}")

    def _check_funds(self, account: Account, market: SymbolMarket, side: Side, outlay: MLDecimal) -> None:
        if not account.can_afford(market.symbol, side, outlay):
            wallet = account.wallet(market.terms.outlay_coin(side))
            free = wallet.spendable if market.terms.is_spot else wallet.available
            raise Refused(
                Refusal.InsufficientFunds,
                f"funds: {outlay} more {wallet.coin} is not covered by {free} available",
            )

    def find_open(self, account: Account, symbol: str, order_id: int | None, link_id: str | None) -> SimOrder:
        """The open order that a request names, by the exchange's id or else by the client's."""
        order = account.archive.find(order_id, link_id)
        if order is not None and order.symbol == symbol and order.state.is_open:
            return order
        name = f"link id {link_id!r}" if order_id is None else f"id {order_id}"
        if order is None or order.symbol != symbol:
            raise Refused(Refusal.UnknownOrder, f"order: none with {name} in {symbol}")
        reason = Refusal.OrderFilled if order.state is OrderState.Filled else Refusal.OrderEnded
        raise Refused(reason, f"order: the one with {name} is {order.state.name}")

    def amended(
        self, account: Account, market: SymbolMarket, before: SimOrder, price: Price | None, qty: Qty | None
    ) -> SimOrder:
        """The order as an amend would leave it, if it may."""
        assert before.price is not None, "a market order never rests"
        new_price, new_qty = price or before.price, qty or before.qty
        if new_price == before.price and new_qty == before.qty:
            raise Refused(Refusal.NothingToChange, "amend: price and qty are what they were")
        market.check_price(new_price)
        market.check_qty(new_qty)
        if new_qty <= before.cum_qty:
            raise Refused(
                Refusal.BadQty, f"qty: expected more than the filled {before.cum_qty}, got {new_qty}"
            )
        after = before.replace(
            price=new_price,
            qty=new_qty,
            leaves_qty=new_qty - before.cum_qty,
            updated_ns=self._now_ns(),
        )
        if not before.reduce_only:
            market.check_notional(new_price, new_qty)
            outlay = market.terms.outlay
            more = outlay(before.side, new_price, after.leaves_qty) - outlay(
                before.side, before.price, before.leaves_qty
            )
            if more > ZERO:
                self._check_funds(account, market, before.side, more)
        return after


def check_combination(order: NewOrder, terms: Terms) -> None:
    """Raise Refused for what contradicts itself, or makes no sense for what is traded."""
    if order.reduce_only and terms.is_spot:
        raise Refused(Refusal.BadCombination, "reduce-only: a spot pair has no position")
    is_limit = order.order_type is OrderType.Limit
    if terms.is_spot and not is_limit and order.tif is TIF.FOK:
        raise Refused(Refusal.BadCombination, "FOK: a spot market order goes as far as the funds do")
    if order.by_value and (is_limit or not terms.is_spot):
        raise Refused(Refusal.BadCombination, "by value: expected a market order in a spot pair")
    if order.order_type is OrderType.Unset or order.tif is TIF.Unset:
        raise Refused(Refusal.BadCombination, "order: expected an order type and a time in force")
    if is_limit and order.price is None:
        raise Refused(Refusal.BadPrice, "price: a limit order needs one")
    if not is_limit and order.price is not None:
        raise Refused(Refusal.BadCombination, "price: a market order has none")
    if order.post_only and (not is_limit or order.tif is not TIF.GTC):
        raise Refused(Refusal.BadCombination, "post-only: expected a limit order that may rest")


def bounds(account: Account, market: SymbolMarket, order: NewOrder) -> tuple[Qty, MLDecimal | None]:
    """How much an order may fill, and at what value at most: nobody can give in spot what he does not have."""
    if order.price is not None or not market.terms.is_spot:
        return order.qty, None
    if order.side is Side.Sell:
        if not order.by_value:
            return order.qty, None
        owned = Qty.from_mantissa(account.wallet(market.terms.base).spendable.mantissa).round_down(market.lot)
        if owned.sign() <= 0:
            raise Refused(
                Refusal.InsufficientFunds, f"funds: there is not a lot of {market.terms.base} to sell"
            )
        return owned, order.qty.to_mldecimal()
    if order.by_value:
        return LARGEST_QTY, order.qty.to_mldecimal()
    return order.qty, max(account.wallet(market.terms.quote).spendable, ZERO)
