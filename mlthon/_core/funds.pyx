"""What an account's orders could cost it, and whether it can afford another.

Counted with the rules of `mlthon.sim.account`, whose accounts these are the base of. Every sum is checked.
"""

from mlthon._core.enums import Side

cimport cython
from mlthon._core.fixed cimport MLDecimal, Price, Qty, mldecimal_from
from mlthon._core.holding cimport Holding
from mlthon._core.int128 cimport (
    add_overflows, div_scaled_overflows, int128, mul_scaled_overflows, sub_overflows,
)
from mlthon._core.order_archive cimport KeptOrders, OrderArchive
from mlthon._core.sim_order cimport SimOrder

cdef object BUY = Side.Buy
cdef MLDecimal ZERO = mldecimal_from(0)


@cython.final
cdef class Exposure:
    """What an account's open orders in one symbol could cost; reduce-only orders cost nothing.

    `buys` and `sells` are in the coin that an order of the side takes. Buying is worth its value, price x qty, of an
    inverse contract qty / price; so is selling a contract, while selling in spot is worth its quantity.
    """

    def __init__(self, str symbol not None, bint is_spot, bint is_inverse):
        self.symbol = symbol
        self.is_spot = is_spot
        self.is_inverse = is_inverse

    cdef int settle_in(self, object coin, Holding position, list mates) except -1:
        """Say what a contract settles in, where its position is kept, and what else settles in the same."""
        self.coin, self.position, self.mates = coin, position, mates
        mates.append(self)
        return 0

    def __len__(self):
        """How many orders are open."""
        return self.open_count

    cdef int outlay(self, bint is_buy, Price price, Qty qty, int128 *outlay) except -1:
        """How much an order is about; raises OverflowError."""
        cdef bint is_beyond = False
        if self.is_spot and not is_buy:
            outlay[0] = qty.mantissa
        elif self.is_inverse:
            is_beyond = div_scaled_overflows(qty.mantissa, price.mantissa, outlay)
        else:
            is_beyond = mul_scaled_overflows(price.mantissa, qty.mantissa, outlay)
        if is_beyond:
            raise OverflowError(f"{qty} at {price} is worth more than can be counted")
        return 0

    cdef int outlay_of(self, SimOrder order, int128 *outlay) except -1:
        """How much is open of an order; raises OverflowError."""
        outlay[0] = 0
        if order.is_open and order.price is not None and not order.reduce_only:
            self.outlay(order.side is BUY, order.price, order.leaves_qty, outlay)
        return 0

    cdef int count(self, bint is_buy, int128 outlay, int orders) except -1:
        """Count so much more, and so many more orders; either may be negative."""
        self.open_count += orders
        if is_buy:
            self.buys = plus(self.buys, outlay)
        else:
            self.sells = plus(self.sells, outlay)
        return 0

    cdef int128 held_at_cost(self) except? -1:
        """What the position in a contract cost, with the sign of its size."""
        cdef int128 size = self.position.size.mantissa
        if size == 0:
            return 0
        cdef int128 cost = self.position.entry_value.mantissa
        return cost if (cost < 0) == (size < 0) else less(0, cost)

    cdef inline bint is_idle(self) noexcept:
        """Whether there is neither a position in a contract nor an order that could lead to one."""
        return self.buys == 0 and self.sells == 0 and self.position.size.mantissa == 0

    cdef int128 worst_value(self, int128 held, int128 more_buys, int128 more_sells) except? -1:
        """The largest position at cost, of either sign, that may come of `held`, of this and so much more.

        Orders on either side only add: the largest is all that is bought, or all that is sold.
        """
        cdef int128 long_side = plus(plus(held, self.buys), more_buys)
        cdef int128 short_side = less(plus(self.sells, more_sells), held)
        return long_side if long_side > short_side else short_side


cdef class Funds:
    """An account's money, as far as every new order asks about it.

    ``purse`` has ``cash`` by coin and ``positions`` by symbol; ``terms`` are those of every symbol, ``leverages`` of
    every contract, 1 or more; ``mark_price(symbol)`` is what a position is valued at; ``orders`` are those that the
    exchange keeps.
    """

    def __init__(self, str name not None, Py_ssize_t index, purse, dict terms not None, dict leverages not None,
                 mark_price, KeptOrders orders not None, Py_ssize_t history):
        self.name = name
        self.index = index
        self.purse = purse
        self.cash = purse.cash
        self.terms = terms
        self.leverages = leverages
        self.mark_price = mark_price
        self.archive = OrderArchive(self, orders, history)
        self.settled_in = {}
        self.pairs = [term for term in terms.values() if term.is_spot]
        self.exposures = {
            symbol: Exposure(symbol, term.is_spot, term.product.value == "inverse")
            for symbol, term in terms.items()}
        mates = {}
        for symbol in leverages:
            coin = terms[symbol].coin
            self.settled_in.setdefault(coin, []).append(symbol)
            (<Exposure>self.exposures[symbol]).settle_in(
                coin, purse.positions[symbol], mates.setdefault(coin, []))

    def margin(self, str symbol not None):
        """Initial margin of the position and the open orders of a contract together."""
        return mldecimal_from(self.margin_of(self.exposures[symbol]))

    def can_afford(self, str symbol not None, side, MLDecimal outlay not None) -> bool:
        """Tell whether open orders about `outlay` more on a side are covered. What adds no margin always is."""
        try:
            return self.affords(self.exposures[symbol], side is BUY, outlay.mantissa)
        except OverflowError:
            return False

    def open_orders_in(self, str symbol not None) -> int:
        """How many open orders count against a symbol's limit: a contract's own, or those of all spot pairs."""
        return self.count_open(self.exposures[symbol])

    def unrealised(self, str symbol not None):
        """Profit of the position in a contract at its mark; 0 without one."""
        return mldecimal_from(self.unrealised_pnl(self.exposures[symbol]))

    def locked(self, coin):
        """What the open orders in all spot pairs have locked of a coin."""
        return mldecimal_from(self.locked_qty(coin))

    # -- for compiled callers ------------------------------------------------------------------------------------

    cdef Py_ssize_t count_open(self, Exposure exposure) except -1:
        cdef Exposure each
        cdef Py_ssize_t count = 0
        if not exposure.is_spot:
            return exposure.open_count
        for each in self.exposures.values():
            if each.is_spot:
                count += each.open_count
        return count

    cdef bint affords(self, Exposure exposure, bint is_buy, int128 outlay) except -1:
        """The same as `can_afford`; raises OverflowError."""
        cdef int128 held, worse, available
        if exposure.is_spot:
            spendable = self.wallet(self.terms[exposure.symbol].outlay_coin(side_of(is_buy))).spendable
            return outlay <= (<MLDecimal?>spendable).mantissa
        held = exposure.held_at_cost()
        worse = exposure.worst_value(held, outlay if is_buy else 0, 0 if is_buy else outlay)
        worse = less(worse, exposure.worst_value(held, 0, 0))
        if worse <= 0:
            return True
        available = self.available(exposure)
        return worse <= available or self.by_leverage(exposure, worse) <= available

    cdef int128 margin_of(self, Exposure exposure) except? -1:
        return self.by_leverage(exposure, exposure.worst_value(exposure.held_at_cost(), 0, 0))

    cdef int128 by_leverage(self, Exposure exposure, int128 value) except? -1:
        cdef MLDecimal leverage
        cdef int128 quotient
        if value == 0:
            return 0
        leverage = self.leverages[exposure.symbol]
        if div_scaled_overflows(value, leverage.mantissa, &quotient):
            raise OverflowError(f"{mldecimal_from(value)} by a leverage of {leverage} is more than can be counted")
        return quotient

    cdef int128 available(self, Exposure exposure) except? -1:
        """What its wallet has of a contract's coin, without the rest of the wallet: it is asked with every order."""
        cdef MLDecimal cash = self.cash.get(exposure.coin, ZERO)
        cdef int128 available = cash.mantissa
        cdef Exposure mate
        for mate in exposure.mates:
            if not mate.is_idle():
                available = less(plus(available, self.unrealised_pnl(mate)), self.margin_of(mate))
        return less(available, self.locked_qty(exposure.coin)) if self.pairs else available

    cdef int128 unrealised_pnl(self, Exposure exposure) except? -1:
        if exposure.position.size.mantissa == 0:
            return 0
        mark = self.mark_price(exposure.symbol)
        return 0 if mark is None else (<MLDecimal?>exposure.position.unrealised(mark)).mantissa

    cdef int128 locked_qty(self, object coin) except? -1:
        cdef Exposure exposure
        cdef int128 locked = 0
        for terms in self.pairs:
            exposure = self.exposures[terms.symbol]
            if coin == terms.quote:
                locked = plus(locked, exposure.buys)
            elif coin == terms.base:
                locked = plus(locked, exposure.sells)
        return locked


cdef inline object side_of(bint is_buy):
    return BUY if is_buy else Side.Sell


cdef inline int128 plus(int128 a, int128 b) except? -1:
    cdef int128 total
    if add_overflows(a, b, &total):
        raise OverflowError("a sum of money is more than can be counted")
    return total


cdef inline int128 less(int128 a, int128 b) except? -1:
    cdef int128 difference
    if sub_overflows(a, b, &difference):
        raise OverflowError("a difference of money is more than can be counted")
    return difference
