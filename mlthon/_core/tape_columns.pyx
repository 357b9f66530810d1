"""Writes market events as rows of columns: what `TapeCursor` reads.

Invariants: the rows of a message are all there or not at all; bids come before asks. Columns grow by doubling, and
keep their memory when they are taken from.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t, uint8_t

from mlthon._core.fixed cimport mldecimal_from
from mlthon._core.int128 cimport int128
from mlthon._core.market_event cimport DepthUpdate, PublicTrade
from mlthon._core.order_change cimport FUNDING_RATE, OrderChange, RateUpdate
from mlthon._core.tape_cursor cimport (
    DEPTH, FUNDING, LAST_ROW, NO_LEVEL, ORDER_ADD, RATE_DECIMALS, SNAPSHOT, TRADE,
)

from mlthon.errors import TapeError

cdef enum:
    MAX_DECIMALS = 18
    FIRST_ROOM = 1024

cdef enum:                            # columns of eight bytes
    RECV_NS, VENUE_NS, PRICE, QTY, SEQ, PREV_SEQ, ID, WIDE_COUNT

cdef enum:                            # columns of one byte
    KIND, FLAGS, SIDE, NARROW_COUNT

cdef int128 TOP = (<int128>1 << 63) - 1
cdef int64_t NONE = -1                # of seq, prev_seq and id: the source has none

LONGEST_NUMBER = 18                   # digits of an id that surely fits 64 bits


class ColumnsTooNarrow(ValueError):
    """A value does not fit the columns as they were chosen; those of these decimals and text ids would do."""

    def __init__(self, price_decimals, qty_decimals, text_ids):
        super().__init__(f"needed: {price_decimals} and {qty_decimals} decimals, text ids: {text_ids}")
        self.price_decimals = price_decimals
        self.qty_decimals = qty_decimals
        self.text_ids = text_ids


@cython.final
cdef class TapeColumns:
    """Rows that are collected until they make a batch: `append` events, then `take` the batch.

    Prices and quantities are stored as 64-bit mantissas of these decimals; with `text_ids` the ids of trades that are
    no numbers are kept as text.

    >>> from mlthon._core.market_event import DepthUpdate
    >>> columns = TapeColumns(price_decimals=1, qty_decimals=3)
    >>> columns.append(DepthUpdate([("9226.5", "3")], [("9227", "0")], seq=8))
    >>> len(columns), columns.take()[0], len(columns)
    (2, 2, 0)
    """

    cdef readonly int price_decimals
    cdef readonly int qty_decimals
    cdef readonly bint text_ids
    cdef int128 price_unit
    cdef int128 qty_unit
    cdef int64_t *wide[WIDE_COUNT]
    cdef uint8_t *narrow[NARROW_COUNT]
    cdef Py_ssize_t count
    cdef Py_ssize_t room
    cdef list texts                   # of each row, None where there is none; None without text ids

    def __cinit__(self, *, int price_decimals, int qty_decimals, bint text_ids=False):
        if not (0 <= price_decimals <= MAX_DECIMALS and 0 <= qty_decimals <= MAX_DECIMALS):
            raise ValueError(f"expected 0 to {MAX_DECIMALS} decimals, got {price_decimals} and {qty_decimals}")
        self.price_decimals, self.qty_decimals, self.text_ids = price_decimals, qty_decimals, text_ids
        self.price_unit = unit_of(price_decimals)
        self.qty_unit = unit_of(qty_decimals)
        self.texts = [] if text_ids else None

    def __dealloc__(self):
        cdef int column
        for column in range(WIDE_COUNT):
            PyMem_Free(self.wide[column])
        for column in range(NARROW_COUNT):
            PyMem_Free(self.narrow[column])

    def __len__(self):
        return self.count

    def append(self, event not None):
        """Add a `DepthUpdate`, `PublicTrade`, `OrderChange` or `RateUpdate`; nothing of it is added on an error.

        Raises ColumnsTooNarrow for what other columns would hold, TapeError for what none would, TypeError for
        anything else.
        """
        cdef Py_ssize_t before = self.count
        try:
            if isinstance(event, DepthUpdate):
                self.add_depth(<DepthUpdate>event)
            elif isinstance(event, PublicTrade):
                self.add_trade(<PublicTrade>event)
            elif isinstance(event, OrderChange):
                self.add_order(<OrderChange>event)
            elif isinstance(event, RateUpdate):
                self.add_rate(<RateUpdate>event)
            else:
                raise TypeError(f"expected a market event, got {type(event).__name__}")
        except BaseException:
            self.count = before
            raise
        if self.text_ids:
            self.texts += [None] * (self.count - len(self.texts))

    def take(self):
        """The rows as a batch for `TapeCursor`, but its texts as a list (or None); starts anew."""
        cdef list batch = [
            self.count, self.wide_bytes(RECV_NS), self.wide_bytes(VENUE_NS), self.narrow_bytes(KIND),
            self.narrow_bytes(FLAGS), self.narrow_bytes(SIDE), self.wide_bytes(PRICE), self.wide_bytes(QTY),
            self.wide_bytes(SEQ), self.wide_bytes(PREV_SEQ), self.wide_bytes(ID), self.texts,
        ]
        self.count = 0
        self.texts = [] if self.text_ids else None
        return batch

    cdef bytes wide_bytes(self, int column):
        return PyBytes_FromStringAndSize(<char *>self.wide[column], self.count * sizeof(int64_t))

    cdef bytes narrow_bytes(self, int column):
        return PyBytes_FromStringAndSize(<char *>self.narrow[column], self.count)

    # -- events ----------------------------------------------------------------------------------------------

    cdef int add_depth(self, DepthUpdate update) except -1:
        cdef Py_ssize_t index, count = update.bid_count + update.ask_count
        cdef uint8_t flags = SNAPSHOT if update.is_snapshot else 0
        cdef Py_ssize_t row = 0
        if count == 0:
            row = self.add_row(update.recv_ns, update.venue_ns, DEPTH, flags | NO_LEVEL | LAST_ROW, 0)
            self.wide[SEQ][row], self.wide[PREV_SEQ][row] = update.seq, update.prev_seq
        for index in range(count):
            row = self.add_row(update.recv_ns, update.venue_ns, DEPTH, flags, index >= update.bid_count)
            self.wide[SEQ][row], self.wide[PREV_SEQ][row] = update.seq, update.prev_seq
            self.set_level(row, update.levels[index].price, update.levels[index].qty)
        self.narrow[FLAGS][row] |= LAST_ROW
        return 0

    cdef int add_trade(self, PublicTrade trade) except -1:
        cdef Py_ssize_t row = self.add_row(trade.recv_ns, trade.venue_ns, TRADE, LAST_ROW, trade.taker_index)
        cdef str trade_id = trade.trade_id
        self.set_level(row, trade.price_mantissa, trade.qty_mantissa)
        if trade_id == "":
            return 0
        if is_number(trade_id):
            self.wide[ID][row] = int(trade_id)
        elif self.text_ids:
            self.texts += [None] * (row - len(self.texts))
            self.texts.append(trade_id)
        else:
            raise ColumnsTooNarrow(self.price_decimals, self.qty_decimals, True)
        return 0

    cdef int add_order(self, OrderChange change) except -1:
        cdef uint8_t flags = (SNAPSHOT if change.is_snapshot else 0) | (LAST_ROW if change.is_last else 0)
        cdef Py_ssize_t row = self.add_row(
            change.recv_ns, change.venue_ns, ORDER_ADD + change.action_index, flags, change.side_index
        )
        self.set_level(row, change.price_mantissa, change.qty_mantissa)
        self.wide[SEQ][row] = change.seq
        self.wide[ID][row] = change.order_id
        return 0

    cdef int add_rate(self, RateUpdate rate) except -1:
        cdef Py_ssize_t row = self.add_row(rate.recv_ns, rate.venue_ns, FUNDING + rate.kind_index, LAST_ROW, 0)
        if rate.kind_index != FUNDING_RATE:
            return self.set_level(row, rate.mantissa, 0)
        if not fits(rate.mantissa, unit_of(RATE_DECIMALS), &self.wide[QTY][row]):
            raise TapeError(
                f"funding rate: expected one of at most {RATE_DECIMALS} decimals, got {mldecimal_from(rate.mantissa)}"
            )
        self.wide[ID][row] = rate.due_ns
        return 0

    # -- rows ------------------------------------------------------------------------------------------------

    cdef Py_ssize_t add_row(
        self, int64_t recv_ns, int64_t venue_ns, int kind, int flags, int side
    ) except -1:
        """A new row without price, qty and numbers; returns its index."""
        cdef Py_ssize_t row = self.count
        if row == self.room:
            self.grow()
        self.wide[RECV_NS][row] = recv_ns
        self.wide[VENUE_NS][row] = venue_ns
        self.wide[PRICE][row] = self.wide[QTY][row] = 0
        self.wide[SEQ][row] = self.wide[PREV_SEQ][row] = self.wide[ID][row] = NONE
        self.narrow[KIND][row] = kind
        self.narrow[FLAGS][row] = flags
        self.narrow[SIDE][row] = side
        self.count += 1
        return row

    cdef int grow(self) except -1:
        cdef Py_ssize_t room = max(FIRST_ROOM, 2 * self.room)
        cdef void *memory
        cdef int column
        for column in range(WIDE_COUNT):
            memory = PyMem_Realloc(self.wide[column], room * sizeof(int64_t))
            if memory == NULL:
                raise MemoryError(f"no memory for {room} rows")
            self.wide[column] = <int64_t *>memory
        for column in range(NARROW_COUNT):
            memory = PyMem_Realloc(self.narrow[column], room)
            if memory == NULL:
                raise MemoryError(f"no memory for {room} rows")
            self.narrow[column] = <uint8_t *>memory
        self.room = room
        return 0

    cdef int set_level(self, Py_ssize_t row, int128 price, int128 qty) except -1:
        cdef bint price_fits = fits(price, self.price_unit, &self.wide[PRICE][row])
        cdef bint qty_fits = fits(qty, self.qty_unit, &self.wide[QTY][row])
        if price_fits and qty_fits:
            return 0
        cdef int price_decimals = max(self.price_decimals, decimals_of(price))
        cdef int qty_decimals = max(self.qty_decimals, decimals_of(qty))
        cdef int64_t ignored
        if not (fits(price, unit_of(price_decimals), &ignored) and fits(qty, unit_of(qty_decimals), &ignored)):
            raise TapeError(
                f"expected a price and a qty that fit 64 bits with {price_decimals} and {qty_decimals} decimals,"
                f" got {mldecimal_from(price)} and {mldecimal_from(qty)}"
            )
        raise ColumnsTooNarrow(price_decimals, qty_decimals, self.text_ids)


cdef bint fits(int128 mantissa, int128 unit, int64_t *out) noexcept:
    """Store how many units a mantissa is, if that is a whole number of 64 bits."""
    cdef int128 count = mantissa // unit
    if count * unit != mantissa or count > TOP or count < -TOP:
        return False
    out[0] = <int64_t>count
    return True


cdef int decimals_of(int128 mantissa) noexcept:
    """How many decimals it takes to write a mantissa of 18."""
    cdef int decimals = MAX_DECIMALS
    while decimals > 0 and mantissa % 10 == 0:
        mantissa //= 10
        decimals -= 1
    return decimals


cdef int128 unit_of(int decimals) noexcept:
    """What one of a column with so many decimals is as a mantissa of 18."""
    cdef int128 unit = 1
    cdef int _
    for _ in range(decimals, MAX_DECIMALS):
        unit *= 10
    return unit


cdef bint is_number(str text):
    """Whether a text is the plain spelling of a number that fits: what it would be written as again."""
    return len(text) <= LONGEST_NUMBER and text.isascii() and text.isdigit() and (text[0] != "0" or text == "0")
