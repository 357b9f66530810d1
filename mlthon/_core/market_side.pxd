# One side of the market's anonymous levels, and what is no longer to be had of them.
#
# Invariants between messages: at each price 0 <= taken <= levels and 0 <= traded <= levels - taken; `taken`, `basis`
# and `traded` hold only prices that `levels` holds, `taken` and `basis` the same ones.

from mlthon._core.int128 cimport int128
from mlthon._core.price_book cimport BookSide, Change, Level

cdef class MarketSide:
    cdef BookSide levels              # as the market's own messages tell it
    cdef BookSide taken               # what clients took; gone until the market's book changes at the price
    cdef BookSide basis               # what `levels` had there at the time
    cdef BookSide traded              # what public trades took and no depth message has told yet
    cdef int128 worst_traded          # no price in `traded` is worse, nor is `gone_to`
    cdef int128 gone_to               # nothing better than this is matchable
    cdef bint is_bid

    cdef int128 shown(self, int128 price) noexcept             # what is displayed: levels - taken
    cdef int128 matchable(self, int128 price) noexcept         # what a client can take: shown - traded

    # A depth message is told level by level, by `tell`, then settled.
    cdef int settle(self) except -1

    cdef int take(self, int128 price, int128 qty) except -1    # qty <= matchable; hides the level it empties
    cdef int hide(self, int128 price) except -1                # take all, and display nothing
    cdef int trade(self, int128 price, int128 qty) except -1   # a public trade; qty beyond matchable is cut
    cdef int trade_level(self, const Level *level, int128 qty) except -1
    cdef int trade_beyond(self, int128 price) except -1        # a public trade proves that nothing better is left
    cdef int forget_trades(self, int128 price) except -1       # the market tells the price anew
    cdef int forget_told(self, const Level *told, Py_ssize_t count) except -1      # the same of several

cdef inline bint is_beyond(MarketSide side, int128 price, int128 than) noexcept:
    return price > than if side.is_bid else price < than

# Whether trades may have taken from a price: whether it is no worse than the worst of them.
cdef inline bint may_have_traded(MarketSide side, int128 price) noexcept:
    return price >= side.worst_traded if side.is_bid else price <= side.worst_traded

# Set a level of the market's own book. Most are far from where it trades: they cost what they cost in any book.
cdef inline Change tell(MarketSide side, int128 price, int128 qty) except Change.FAILED:
    if may_have_traded(side, price):
        side.forget_trades(price)
    return side.levels.set(price, qty)
