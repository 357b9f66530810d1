"""From what the matching engine did to what is booked, remembered and told."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlthon._core.market_event import PublicTrade
from mlthon._core.outbox import Outbox
from mlthon._core.plain_exchange import OrderKeeper
from mlthon.basics.defs import TIF, OrderType, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.sim.account import Account
from mlthon.sim.ledger import ZERO, Ledger
from mlthon.sim.orders import (
    EndReason,
    Fees,
    NewOrder,
    OrderState,
    Origin,
    SimFill,
    SimOrder,
    SimPayment,
)
from mlthon.sim.symbol_market import SymbolMarket
from mlthon.sim.terms import Terms

__all__ = ["Settlement"]

OPPOSITE = {Side.Buy: Side.Sell, Side.Sell: Side.Buy}


class Settlement(OrderKeeper):
    """Books fills, keeps the state of orders, and queues what there is to tell."""

    def __init__(self, ledger: Ledger, outbox: Outbox, fees: Fees, now_ns: Callable[[], int]) -> None:
        super().__init__(outbox, now_ns)
        self._ledger = ledger
        self._fees = fees
        self._fills_made = 0  # and payments

    def settle(
        self,
        market: SymbolMarket,
        *,
        placed: SimOrder | None = None,
        changed: SimOrder | None = None,
        trade: PublicTrade | None = None,
    ) -> None:
        """Book and queue all that the engine did in one call.

        `placed` is the order that came in, if one did; `changed` one that was amended or cancelled; `trade` the
        public trade that was applied.
        """
        engine = market.engine
        if placed is not None and placed.order_id in engine:
            self.outbox.on_order(placed)
        told: dict[int, SimOrder] = {} if changed is None else {changed.order_id: changed}
        traders: dict[str, Account] = {}
        trades = [] if trade is None else [trade]
        for order_id, price, qty, is_maker, other_id in engine.take_fills():
            account = self.owner(order_id)
            order = self._book(market, account, order_id, price, qty, is_maker, other_id)
            told[order_id] = order
            traders[account.name] = account
            # Who stood in the way of a public trade traded in that trade; all else is a trade of its own.
            if not is_maker:
                trades.append(self._public_trade(market, order.side, price, qty))
            elif other_id == 0 and trade is None:
                trades.append(self._public_trade(market, OPPOSITE[order.side], price, qty))
        for order_id, code, met_id in engine.take_ended():
            if self.is_open(order_id):  # else an order by value, all spent: it is filled
                told[order_id] = self._end_by_engine(order_id, EndReason(code), met_id, placed)
        if placed is not None and self.is_open(placed.order_id) and placed.order_id not in engine:
            # It has sold all there was for it to sell, and not earned what it was to earn.
            told[placed.order_id] = self._end_by_engine(placed.order_id, EndReason.FundsSpent, 0, placed)
        self._tell(market, told.values(), traders.values(), trades)

    def pay_funding(self, market: SymbolMarket, account: Account, mark: Price, rate: MLDecimal) -> None:
        """Let an account pay for its position in a contract, or be paid: longs pay when the rate is positive."""
        size, value = account.purse.position(market.symbol).size, account.value_at_mark(market.symbol)
        own_rate = rate * size.sign()
        amount = value * own_rate
        self._ledger.book_funding(account.purse, market.symbol, amount)
        self._fills_made += 1
        payment = SimPayment(
            exec_id=self._fills_made,
            account=account.name,
            symbol=market.symbol,
            side=Side.Buy if size.sign() > 0 else Side.Sell,
            size=abs(size),
            mark_price=mark,
            value=value,
            rate=own_rate,
            amount=amount,
            coin=market.terms.coin,
            exec_ns=self.now_ns(),
        )
        account.archive.payments.append(payment)
        self.outbox.on_funding(payment)
        self.outbox.on_position(account, market.symbol)
        self.outbox.on_wallet(account, market.terms.coins)

    def take_over(self, market: SymbolMarket, account: Account, price: Price) -> None:
        """Close an account's position in a contract at a price: against the market, past the book, without a fee."""
        size = account.purse.position(market.symbol).size
        side, qty = (Side.Sell if size.sign() > 0 else Side.Buy), abs(size)
        request = NewOrder(
            market.symbol, side, qty, order_type=OrderType.Market, tif=TIF.IOC, reduce_only=True
        )
        order = self.new_order(account, request, Origin.Liquidation)
        self.put(account, order)
        market.engine.move_position(account.index, -size)
        filled = self._book(market, account, order.order_id, price, qty, is_maker=False, other_id=0)
        self.outbox.on_order(filled)
        self.outbox.on_position(account, market.symbol)
        self.outbox.on_wallet(account, market.terms.coins)

    def _tell(
        self,
        market: SymbolMarket,
        orders: Iterable[SimOrder],
        traders: Iterable[Account],
        trades: Iterable[PublicTrade],
    ) -> None:
        for order in orders:
            self.outbox.on_order(order)
        for account in traders:
            if not market.terms.is_spot:
                self.outbox.on_position(account, market.symbol)
        for account in traders:
            self.outbox.on_wallet(account, market.terms.coins)
        for trade in trades:
            self.outbox.on_trade(market.symbol, trade)
        self.tell_depth(market)

    def _book(
        self,
        market: SymbolMarket,
        account: Account,
        order_id: int,
        price: Price,
        qty: Qty,
        is_maker: bool,
        other_id: int,
    ) -> SimOrder:
        """Book one fill; returns the order after it."""
        before = account.archive.open_order(order_id)
        terms, side = market.terms, before.side
        closed = self._ledger.book(account.purse, market.symbol, side, price, qty)
        if other_id == 0:
            self._ledger.book_market(market.symbol, OPPOSITE[side], price, qty)
        rate = self._fees.rate(is_spot=terms.is_spot, is_maker=is_maker)
        if before.origin is Origin.Liquidation:
            rate = ZERO
        fee_coin, fee = terms.fee(side, price, qty, rate)
        self._ledger.book_fee(account.purse, market.symbol, fee_coin, fee)
        now_ns = self.now_ns()
        order = after_fill(before, terms, price, qty, (fee_coin, fee), closed.realised, now_ns)
        self.put(account, order)
        self._fills_made += 1
        fill = SimFill(
            exec_id=self._fills_made,
            order_id=order_id,
            link_id=order.link_id,
            account=account.name,
            symbol=market.symbol,
            origin=order.origin,
            side=order.side,
            order_type=order.order_type,
            by_value=order.by_value,
            order_price=order.price,
            order_qty=order.qty,
            price=price,
            qty=qty,
            leaves_qty=order.leaves_qty,
            value=terms.value(price, qty),
            fee=fee,
            fee_coin=fee_coin,
            fee_rate=rate,
            is_maker=is_maker,
            closed_qty=closed.qty,
            realised_pnl=closed.realised,
            exec_ns=now_ns,
        )
        account.archive.add_fill(fill)
        self.outbox.on_fill(fill)
        return order

    def _end_by_engine(
        self, order_id: int, reason: EndReason, met_id: int, placed: SimOrder | None
    ) -> SimOrder:
        account: Account = self.owner(order_id)
        order = account.archive.open_order(order_id)
        if reason is EndReason.ValueSpent and not order.by_value:
            reason = EndReason.FundsSpent  # that was the value it could go to
        # Only an order that never stood is rejected; one amended to where it would take is cancelled.
        is_new = placed is not None and placed.order_id == order_id
        rejected = is_new and reason in (EndReason.PostOnlyWouldCross, EndReason.FundsSpent)
        state = OrderState.Rejected if rejected else OrderState.Cancelled
        return self.end(account, order, state, reason, met_id)

    def _public_trade(self, market: SymbolMarket, taker_side: Side, price: Price, qty: Qty) -> PublicTrade:
        return PublicTrade(
            taker_side, price, qty, venue_ns=market.engine.market_ns, trade_id=f"s{self._fills_made}"
        )


def after_fill(
    before: SimOrder,
    terms: Terms,
    price: Price,
    qty: Qty,
    fee: tuple[str, MLDecimal],
    realised: MLDecimal,
    now_ns: int,
) -> SimOrder:
    """An order after one more fill."""
    fee_coin, charged = fee
    value = terms.value(price, qty)
    leaves_qty = before.leaves_qty - (Qty.from_mantissa(value.mantissa) if before.by_value else qty)
    cum_qty, cum_value = before.cum_qty + qty, before.cum_value + value
    return before.replace(
        leaves_qty=leaves_qty,
        cum_qty=cum_qty,
        cum_value=cum_value,
        avg_price=terms.average_price(cum_value, cum_qty),
        cum_fees={**before.cum_fees, fee_coin: before.cum_fees.get(fee_coin, ZERO) + charged},
        realised_pnl=before.realised_pnl + realised,
        state=OrderState.Filled if leaves_qty.is_zero() else OrderState.PartiallyFilled,
        updated_ns=now_ns,
    )
