"""What a market does, decoded once: `DepthUpdate` (displayed levels change) and `PublicTrade`.

Both are values. All text is parsed and checked while the object is made, so an event that exists is sound,
and applying it can no longer fail halfway. A depth update keeps its levels in one C array.
"""

from cpython.bytes cimport PyBytes_Check
from cpython.long cimport PyLong_Check
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.unicode cimport PyUnicode_Check
from libc.stdint cimport int64_t
from libc.string cimport memcmp, memcpy

cimport cython
from mlthon._core.enums cimport side_from, side_index
from mlthon._core.fixed cimport Price, Qty, mantissa_of_text, mantissa_to_text, price_from, qty_from
from mlthon._core.int128 cimport int128
from mlthon._core.price_book cimport Level, Spot

from reprlib import repr as clipped_repr


@cython.final
@cython.freelist(64)
cdef class DepthUpdate:
    """A change of displayed levels, or with ``is_snapshot`` a whole book.

    ``bids`` and ``asks`` are lists or tuples of ``(price, qty)`` pairs, each decimal text (str or bytes),
    `Price` or `Qty`; quantities are absolute, and 0 deletes the level. Prices must be positive, quantities
    not negative. ``seq`` is the venue's number of the message, ``prev_seq`` the number it continues (-1: the
    venue tells none).

    Raises TypeError for a wrong type and ValueError for a wrong shape or value (one that does not fit
    included); the text names the side, the index and what came. Stamps and numbers beyond 64 bits raise
    OverflowError.

    >>> update = DepthUpdate([("9226.5", "3")], [(b"9227.0", "0")], seq=8)
    >>> update.bids(), len(update), update.seq
    ([(Price('9226.50000000'), Qty('3.00000000'))], 2, 8)
    """

    def __init__(
        self, bids, asks, *, bint is_snapshot=False, venue_ns=0, recv_ns=0, seq=0, prev_seq=-1,
    ):
        cdef Py_ssize_t bid_count = count_of(bids, "bids")
        cdef Py_ssize_t ask_count = count_of(asks, "asks")
        cdef int64_t[4] stamps
        stamps[0] = int64_of(venue_ns, "venue_ns")
        stamps[1] = int64_of(recv_ns, "recv_ns")
        stamps[2] = int64_of(seq, "seq")
        stamps[3] = int64_of(prev_seq, "prev_seq")
        cdef Level *levels = new_levels(bid_count + ask_count)
        try:
            parse_levels(bids, "bids", bid_count, levels)
            parse_levels(asks, "asks", ask_count, levels + bid_count)
        except BaseException:
            PyMem_Free(levels)
            raise
        PyMem_Free(self.levels)
        self.levels = levels
        self.room = bid_count + ask_count
        self.has_spots = False
        self.bid_count = bid_count
        self.ask_count = ask_count
        self.is_snapshot = is_snapshot
        self.venue_ns, self.recv_ns, self.seq, self.prev_seq = stamps[0], stamps[1], stamps[2], stamps[3]

    def __dealloc__(self):
        PyMem_Free(self.levels)

    cdef int reserve(self, Py_ssize_t count) except -1:
        cdef Py_ssize_t room = max(count, 2 * self.room)
        cdef Level *levels
        if count > self.room:
            levels = <Level *>PyMem_Realloc(self.levels, room * (sizeof(Level) + sizeof(Spot)))
            if levels == NULL:
                raise MemoryError(f"no memory for {room} levels")
            self.levels = levels
            self.room = room
            self.has_spots = False
        return 0

    def bids(self):
        """The bid levels as a new list of ``(Price, Qty)``, in the order given."""
        return level_list(self.levels, self.bid_count)

    def asks(self):
        """The ask levels as a new list of ``(Price, Qty)``, in the order given."""
        return level_list(self.levels + self.bid_count, self.ask_count)

    cpdef DepthUpdate copy(self):
        """An update of its own with the same content, to keep beyond a callback."""
        cdef DepthUpdate twin = depth_update_from(self.levels, self.bid_count, self.ask_count)
        twin.is_snapshot = self.is_snapshot
        twin.venue_ns = self.venue_ns
        twin.recv_ns = self.recv_ns
        twin.seq = self.seq
        twin.prev_seq = self.prev_seq
        if self.has_spots and twin.levels != NULL:
            memcpy(spots_of(twin), spots_of(self), twin.room * sizeof(Spot))
            twin.has_spots = True
        return twin

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        stamps = (self.venue_ns, self.recv_ns, self.seq, self.prev_seq)
        return restore_depth_update, (self.bids(), self.asks(), self.is_snapshot, stamps)

    def __len__(self):
        return self.bid_count + self.ask_count

    def __bool__(self):
        return True                   # an update without levels is still an update: it moves the sequence on

    def __eq__(self, other):
        if not isinstance(other, DepthUpdate):
            return NotImplemented
        return same_update(self, <DepthUpdate>other)

    __hash__ = None

    def __repr__(self):
        cdef str kind = "snapshot, " if self.is_snapshot else ""
        return f"<DepthUpdate {kind}{self.bid_count} bids, {self.ask_count} asks, seq={self.seq}>"


@cython.final
@cython.freelist(64)
cdef class PublicTrade:
    """A public trade: the taker's side, a positive price and a positive quantity.

    ``price`` and ``qty`` are decimal text (str or bytes), `Price` or `Qty`. Raises TypeError for a wrong type
    and ValueError for a wrong value.

    >>> from mlthon._core.enums import Side
    >>> trade = PublicTrade(Side.Sell, "9226.5", "0.1", trade_id="77")
    >>> trade.taker_side.name, trade.price, trade.qty
    ('Sell', Price('9226.50000000'), Qty('0.10000000'))
    """

    def __init__(
        self, taker_side, price, qty, *, venue_ns=0, recv_ns=0, str trade_id not None="",
    ):
        cdef int taker_index = side_index(taker_side)
        cdef int128 price_mantissa = 0
        cdef int128 qty_mantissa = 0
        cdef int64_t venue_stamp = int64_of(venue_ns, "venue_ns")
        cdef int64_t recv_stamp = int64_of(recv_ns, "recv_ns")
        parse_price(price, "trade", -1, &price_mantissa)
        parse_qty(qty, "trade", -1, &qty_mantissa)
        if qty_mantissa == 0:
            raise ValueError(f"trade: qty: expected more than 0, got {clipped_repr(qty)}")
        self.taker_index = taker_index
        self.price_mantissa = price_mantissa
        self.qty_mantissa = qty_mantissa
        self.venue_ns = venue_stamp
        self.recv_ns = recv_stamp
        self.trade_id = trade_id

    @property
    def taker_side(self):
        """Which side took: Buy means that a resting ask was hit."""
        return side_from(self.taker_index)

    @property
    def price(self):
        """What was paid for one unit."""
        return price_from(self.price_mantissa)

    @property
    def qty(self):
        """How much changed hands."""
        return qty_from(self.qty_mantissa)

    cpdef PublicTrade copy(self):
        """A trade of its own with the same content, to keep beyond a callback."""
        cdef PublicTrade twin = public_trade_from(self.taker_index, self.price_mantissa, self.qty_mantissa)
        twin.venue_ns = self.venue_ns
        twin.recv_ns = self.recv_ns
        twin.trade_id = self.trade_id
        return twin

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        stamps = (self.venue_ns, self.recv_ns, self.trade_id)
        return restore_public_trade, (self.taker_side, self.price, self.qty, stamps)

    def __eq__(self, other):
        if not isinstance(other, PublicTrade):
            return NotImplemented
        return same_trade(self, <PublicTrade>other)

    def __hash__(self):
        return hash((self.taker_index, self.price, self.qty, self.venue_ns, self.trade_id))

    def __repr__(self):
        cdef str side = "Buy" if self.taker_index == 0 else "Sell"
        cdef str price = mantissa_to_text(self.price_mantissa, 0)
        cdef str qty = mantissa_to_text(self.qty_mantissa, 0)
        return f"<PublicTrade {side} {qty} @ {price}>"


def restore_depth_update(bids, asks, is_snapshot, stamps):
    """Rebuild a pickled `DepthUpdate`."""
    venue_ns, recv_ns, seq, prev_seq = stamps
    return DepthUpdate(
        bids, asks, is_snapshot=is_snapshot, venue_ns=venue_ns, recv_ns=recv_ns, seq=seq, prev_seq=prev_seq
    )


def restore_public_trade(taker_side, price, qty, stamps):
    """Rebuild a pickled `PublicTrade`."""
    venue_ns, recv_ns, trade_id = stamps
    return PublicTrade(taker_side, price, qty, venue_ns=venue_ns, recv_ns=recv_ns, trade_id=trade_id)


cdef DepthUpdate depth_update_from(const Level *levels, Py_ssize_t bid_count, Py_ssize_t ask_count):
    cdef DepthUpdate update = DepthUpdate.__new__(DepthUpdate)
    update.levels = new_levels(bid_count + ask_count)
    if update.levels != NULL:
        memcpy(update.levels, levels, (bid_count + ask_count) * sizeof(Level))
    update.room = bid_count + ask_count
    update.bid_count = bid_count
    update.ask_count = ask_count
    update.prev_seq = -1
    return update


cdef DepthUpdate merged(DepthUpdate before, DepthUpdate after):
    cdef DepthUpdate both = depth_update_from(NULL, 0, 0)
    both.reserve(len(before) + len(after))
    both.bid_count = merge_levels(
        both.levels, before.levels, before.bid_count, after.levels, after.bid_count)
    both.ask_count = merge_levels(
        both.levels + both.bid_count, before.levels + before.bid_count, before.ask_count,
        after.levels + after.bid_count, after.ask_count)
    both.venue_ns, both.seq = after.venue_ns, after.seq
    return both


cdef PublicTrade public_trade_from(int taker_index, int128 price, int128 qty):
    cdef PublicTrade trade = PublicTrade.__new__(PublicTrade)
    trade.taker_index = taker_index
    trade.price_mantissa = price
    trade.qty_mantissa = qty
    trade.trade_id = ""
    return trade


cdef int64_t int64_of(object value, str name) except? -1:
    if not PyLong_Check(value):       # Cython's own conversion would cut a float
        raise TypeError(f"{name}: expected an integer, got {clipped_repr(value)}")
    return value


# -- levels --------------------------------------------------------------------------------------------------


cdef Level *new_levels(Py_ssize_t count) except? NULL:
    """Room for `count` levels, and their spots; NULL, without an error, for none."""
    if count == 0:
        return NULL
    cdef Level *levels = <Level *>PyMem_Malloc(count * (sizeof(Level) + sizeof(Spot)))
    if levels == NULL:
        raise MemoryError(f"no memory for {count} levels")
    return levels


cdef Py_ssize_t merge_levels(Level *out, const Level *before, Py_ssize_t before_count, const Level *after,
                             Py_ssize_t after_count) noexcept:
    """Write the levels told later, behind those told before at other prices; returns how many that are."""
    cdef Py_ssize_t count = 0
    cdef Py_ssize_t index
    for index in range(before_count):
        if not tells_price(after, after_count, before[index].price):
            out[count] = before[index]
            count += 1
    for index in range(after_count):
        out[count + index] = after[index]
    return count + after_count


cdef bint tells_price(const Level *levels, Py_ssize_t count, int128 price) noexcept:
    cdef Py_ssize_t index
    for index in range(count):
        if levels[index].price == price:
            return True
    return False


cdef Py_ssize_t count_of(object pairs, str side) except -1:
    if isinstance(pairs, (list, tuple)):
        return len(pairs)
    raise TypeError(f"{side}: expected a list of (price, qty) pairs, got {clipped_repr(pairs)}")


cdef int parse_levels(object pairs, str side, Py_ssize_t count, Level *out) except -1:
    cdef Py_ssize_t index
    for index in range(count):
        pair = pairs[index]
        if not isinstance(pair, (list, tuple)):
            raise TypeError(f"{side}[{index}]: expected a (price, qty) pair, got {clipped_repr(pair)}")
        if len(pair) != 2:
            raise ValueError(f"{side}[{index}]: expected a (price, qty) pair, got {clipped_repr(pair)}")
        price, qty = pair
        parse_price(price, side, index, &out[index].price)
        parse_qty(qty, side, index, &out[index].qty)
    return 0


cdef int parse_price(object value, str where, Py_ssize_t index, int128 *out) except -1:
    if isinstance(value, Price):
        out[0] = (<Price>value).mantissa
    else:
        parse_text(value, where, index, "price", out)
    if out[0] <= 0:
        raise ValueError(f"{place(where, index)}: price: expected more than 0, got {clipped_repr(value)}")
    return 0


cdef int parse_qty(object value, str where, Py_ssize_t index, int128 *out) except -1:
    if isinstance(value, Qty):
        out[0] = (<Qty>value).mantissa
    else:
        parse_text(value, where, index, "qty", out)
    if out[0] < 0:
        raise ValueError(f"{place(where, index)}: qty: expected 0 or more, got {clipped_repr(value)}")
    return 0


cdef int parse_text(object value, str where, Py_ssize_t index, str field, int128 *out) except -1:
    if not (PyUnicode_Check(value) or PyBytes_Check(value)):
        raise TypeError(f"{place(where, index)}: {field}: expected decimal text, got {clipped_repr(value)}")
    try:
        mantissa_of_text(value, out)
    except (ValueError, OverflowError) as error:
        came = f"{place(where, index)}: {field}: expected decimal text, got {clipped_repr(value)}"
        raise ValueError(f"{came}: {error}") from None
    return 0


cdef str place(str where, Py_ssize_t index):
    return where if index < 0 else f"{where}[{index}]"


cdef list level_list(const Level *levels, Py_ssize_t count):
    cdef Py_ssize_t index
    return [(price_from(levels[index].price), qty_from(levels[index].qty)) for index in range(count)]


cdef bint same_update(DepthUpdate a, DepthUpdate b) noexcept:
    if a.bid_count != b.bid_count or a.ask_count != b.ask_count or a.is_snapshot != b.is_snapshot:
        return False
    if a.venue_ns != b.venue_ns or a.recv_ns != b.recv_ns or a.seq != b.seq or a.prev_seq != b.prev_seq:
        return False
    # A Level is two 128-bit integers without padding.
    return len(a) == 0 or memcmp(a.levels, b.levels, (a.bid_count + a.ask_count) * sizeof(Level)) == 0


cdef bint same_trade(PublicTrade a, PublicTrade b) noexcept:
    if a.price_mantissa != b.price_mantissa or a.qty_mantissa != b.qty_mantissa:
        return False
    if a.taker_index != b.taker_index or a.venue_ns != b.venue_ns or a.recv_ns != b.recv_ns:
        return False
    return a.trade_id == b.trade_id
