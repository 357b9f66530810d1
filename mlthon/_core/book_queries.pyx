"""Volumes and prices that are computed from a book's levels.

An average price is the best price plus (for bids: minus) what the levels are worse than it, weighted by quantity.
Those differences have one sign, so their weighted sum fits 256 bits whatever the prices.
"""

from mlthon._core.book_side cimport BookSide, Level, Place
from mlthon._core.int128 cimport add_overflows, div_scaled_overflows, int128, uint128

cdef extern from *:
    """
    typedef struct {
        mlthon_uint128 high, low;     /* the sum of difference * qty */
        mlthon_uint128 qties;         /* of all quantities, joined by or */
    } mlthon_weighted;

    static inline void mlthon_weigh(mlthon_weighted *sum, mlthon_uint128 difference, mlthon_uint128 qty) {
        mlthon_uint128 high, low;
        mlthon_wide_product(difference, qty, &high, &low);
        sum->low += low;
        sum->high += high + (sum->low < low);
        sum->qties |= qty;
    }

    /* start plus or minus sum / qty, half-even; fails when that does not fit. The factor of two that all quantities
       have in common is taken out first, for it makes the division short. */
    static inline int mlthon_weighted_price(mlthon_int128 start, int down, mlthon_weighted *sum,
                                            mlthon_uint128 qty, mlthon_int128 *out) {
        mlthon_uint128 odd = (mlthon_uint128)start & 1, offset;
        mlthon_uint128 bits = sum->qties | qty;
        int common = (uint64_t)bits ? __builtin_ctzll((uint64_t)bits) : 0;
        mlthon_weigh(sum, odd, qty);                  /* counted from an even price, half-even is half-even */
        if (common) {
            sum->low = (sum->low >> common) | (sum->high << (128 - common));
            sum->high >>= common;
        }
        if (mlthon_wide_quotient(sum->high, sum->low, qty >> common, &offset))
            return 1;
        *out = (mlthon_int128)(down ? (mlthon_uint128)start + odd - offset : (mlthon_uint128)start - odd + offset);
        return 0;
    }

    static const mlthon_weighted mlthon_nothing = {0, 0, 0};

    static inline mlthon_int128 mlthon_midpoint(mlthon_int128 a, mlthon_int128 b) {
        mlthon_int128 below = (a >> 1) + (b >> 1) + (a & b & 1);
        return (a ^ b) & 1 ? below + (below & 1) : below;
    }
    """
    ctypedef struct Weighted "mlthon_weighted":
        pass

    const Weighted NOTHING "mlthon_nothing"
    void weigh "mlthon_weigh"(Weighted *sum, uint128 difference, uint128 qty) noexcept nogil
    bint weighted_price_overflows "mlthon_weighted_price"(
        int128 start, bint down, Weighted *sum, uint128 qty, int128 *out
    ) noexcept nogil
    int128 midpoint "mlthon_midpoint"(int128 a, int128 b) noexcept nogil


cdef int volume_to(BookSide side, int128 price, int128 *volume) except -1:
    cdef Place place
    cdef Level *level
    cdef int128 total = 0
    side.start(&place)
    level = side.next_level(&place)
    while level is not NULL and (level.price >= price if side.is_bid else level.price <= price):
        if add_overflows(total, level.qty, &total):
            raise too_much("volume")
        level = side.next_level(&place)
    volume[0] = total
    return 0


cdef bint average_price(BookSide side, int128 qty, int128 *price) except -1:
    cdef Place place
    cdef Level *level
    cdef Weighted sum = NOTHING
    cdef int128 left = qty
    cdef int128 best, used
    side.start(&place)
    level = side.next_level(&place)
    if level is NULL:
        return False
    best = level.price
    while level is not NULL:
        used = level.qty if level.qty < left else left
        weigh(&sum, distance(best, level.price), <uint128>used)
        left -= used
        if left == 0:
            if weighted_price_overflows(best, side.is_bid, &sum, <uint128>qty, price):
                raise too_much("average price")
            return True
        level = side.next_level(&place)
    return False


cdef bint mid_price(BookSide bids, BookSide asks, int128 *price) noexcept:
    cdef Level *bid = bids.best()
    cdef Level *ask = asks.best()
    if bid is NULL or ask is NULL:
        return False
    price[0] = midpoint(bid.price, ask.price)
    return True


cdef bint micro_price(BookSide bids, BookSide asks, int128 *price) except -1:
    cdef Level *bid = bids.best()
    cdef Level *ask = asks.best()
    cdef Weighted sum = NOTHING
    cdef int128 total
    if bid is NULL or ask is NULL:
        return False
    if add_overflows(bid.qty, ask.qty, &total):
        raise too_much("volume")
    weigh(&sum, distance(bid.price, ask.price), <uint128>bid.qty)
    if weighted_price_overflows(bid.price, ask.price < bid.price, &sum, <uint128>total, price):
        raise too_much("micro-price")
    return True


cdef bint imbalance(BookSide bids, BookSide asks, Py_ssize_t level_count, int128 *ratio) except -1:
    cdef int128 bid_qty = top_volume(bids, level_count)
    cdef int128 ask_qty = top_volume(asks, level_count)
    cdef int128 total
    if add_overflows(bid_qty, ask_qty, &total):
        raise too_much("volume")
    if total == 0:
        return False
    div_scaled_overflows(bid_qty - ask_qty, total, ratio)      # within -1 and 1: it fits
    return True


cdef int128 top_volume(BookSide side, Py_ssize_t level_count) except -1:
    cdef Place place
    cdef Level *level
    cdef int128 total = 0
    side.start(&place)
    level = side.next_level(&place)
    while level is not NULL and level_count > 0:
        if add_overflows(total, level.qty, &total):
            raise too_much("volume")
        level_count -= 1
        level = side.next_level(&place)
    return total


cdef inline uint128 distance(int128 a, int128 b) noexcept:
    return <uint128>a - <uint128>b if a > b else <uint128>b - <uint128>a


cdef object too_much(str what):
    return OverflowError(f"book: the {what} is beyond the range of values")
