"""The market's anonymous levels of one side, and two overlays: what clients took of them, and what traded.

The market's own messages never know of our clients. So what a client takes is remembered beside the level, until
the market says something new about it; and what a public trade took is remembered until the depth message
that contains it arrives, so that nobody takes the same quantity in between.
"""

cimport cython
from mlthon._core.int128 cimport INT128_MAX, int128
from mlthon._core.price_book cimport BookSide, Level, Place


@cython.final
cdef class MarketSide:
    """One side's anonymous levels; for compiled code only."""

    def __cinit__(self, bint is_bid):
        self.is_bid = is_bid
        self.worst_traded = nothing(is_bid)
        self.gone_to = nothing(is_bid)
        self.levels = BookSide(is_bid)
        self.taken = BookSide(is_bid)
        self.basis = BookSide(is_bid)
        self.traded = BookSide(is_bid)

    cdef int128 shown(self, int128 price) noexcept:
        return qty_at(self.levels, price) - qty_at(self.taken, price)

    cdef int128 matchable(self, int128 price) noexcept:
        return self.shown(price) - qty_at(self.traded, price)

    cdef int settle(self) except -1:
        """Give back what was taken where the message, as a whole, changed the market's book."""
        cdef Py_ssize_t depth = 0
        if self.taken.size == 0:
            return 0
        cdef Level *level = self.taken.best()
        cdef int128 price
        while level is not NULL:
            price = level.price
            if qty_at(self.levels, price) != qty_at(self.basis, price):
                self.taken.set(price, 0)
                self.basis.set(price, 0)
            else:
                depth += 1
            level = self.taken.at(depth)
        return 0

    cdef int take(self, int128 price, int128 qty) except -1:
        if qty == self.matchable(price):
            return self.hide(price)
        self.taken.set(price, qty_at(self.taken, price) + qty)
        self.basis.set(price, qty_at(self.levels, price))
        return 0

    cdef int hide(self, int128 price) except -1:
        self.taken.set(price, qty_at(self.levels, price))
        self.basis.set(price, qty_at(self.levels, price))
        self.traded.set(price, 0)
        return 0

    cdef int trade(self, int128 price, int128 qty) except -1:
        cdef const Level *level = self.levels.find(price)
        if level is not NULL and qty > 0:
            self.trade_level(level, qty)
        if not may_have_traded(self, price):
            self.worst_traded = price
        return 0

    cdef int trade_level(self, const Level *level, int128 qty) except -1:
        """Note that so much of a level, or what is left of it, was traded."""
        cdef Place place
        cdef const Level *traded = self.traded.seek(level.price, &place)
        cdef int128 before = 0 if traded is NULL else traded.qty
        cdef int128 left = level.qty - qty_at(self.taken, level.price) - before
        if left > 0 and traded is NULL:
            self.traded.insert(&place, level.price, min(qty, left))
        elif left > 0:
            self.traded.set_qty(&place, before + min(qty, left))
        return 0

    cdef int trade_beyond(self, int128 price) except -1:
        # Trades run ahead of the book: what those before this one have emptied is not looked at again.
        cdef Place place
        cdef const Level *level = self.levels.best()
        if is_beyond(self, self.gone_to, price):
            if level is not NULL and is_beyond(self, level.price, price):
                level = self.levels.seek(self.gone_to, &place)
                if level is NULL:
                    level = self.levels.next_level(&place)
                while level is not NULL and is_beyond(self, level.price, price):
                    self.trade_level(level, level.qty)
                    level = self.levels.next_level(&place)
            self.gone_to = price
        if not may_have_traded(self, price):
            self.worst_traded = price
        return 0

    cdef int forget_told(self, const Level *told, Py_ssize_t count) except -1:
        # From the better end, if told in order: there the market trades, and behind that is nothing to forget.
        cdef int128 none = nothing(self.is_bid)
        cdef Py_ssize_t step = 1
        cdef Py_ssize_t _
        if count and is_beyond(self, told[count - 1].price, told[0].price):
            told += count - 1
            step = -1
        for _ in range(count):
            if self.worst_traded == none:
                break
            if may_have_traded(self, told.price):
                self.forget_trades(told.price)
            told += step
        return 0

    cdef int forget_trades(self, int128 price) except -1:
        self.gone_to = nothing(self.is_bid)
        if self.traded.size:
            self.traded.set(price, 0)
        if self.traded.size == 0:
            self.worst_traded = nothing(self.is_bid)
        elif price == self.worst_traded:
            self.worst_traded = self.traded.at(self.traded.size - 1).price
        return 0


cdef int128 nothing(bint is_bid) noexcept:
    """A price that is better than any."""
    return INT128_MAX if is_bid else 0


cdef int128 qty_at(BookSide side, int128 price) noexcept:
    if side.size == 0:
        return 0
    cdef Level *level = side.find(price)
    return 0 if level is NULL else level.qty
