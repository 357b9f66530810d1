"""Reads a tape in order: rows of columns in, market events out, without a Python object on the way.

A tape is a sequence of batches, each the memory of some columns. The cursor trusts neither lengths nor values:
columns are measured when a batch comes, and each value is checked when it is read, so that an event that was read
is sound. It keeps one batch at a time, and asks for the next one when the last row of this one has been read.

Invariants: `at` is the first row of the next event, or equals `rows` at the end. `next_ns` never falls.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from mlthon._core.int128 cimport int128
from mlthon._core.market_event cimport DepthUpdate, PublicTrade
from mlthon._core.order_change cimport OrderChange, RateUpdate
from mlthon._core.price_book cimport Level

from mlthon.errors import TapeError

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void *address) noexcept nogil

COLUMN_NAMES = ("recv_ns", "venue_ns", "kind", "flags", "side", "price", "qty", "seq", "prev_seq", "id")
SMALL_COLUMNS = frozenset(("kind", "flags", "side"))  # of one byte a value; the others have eight

cdef enum:
    MAX_DECIMALS = 18
    MAX_ROWS = 1 << 30                # of a batch
    MAX_MESSAGE_ROWS = 1 << 20        # of a message: bounds the memory that a tape without ends can ask for

cdef uint64_t LAST_ROWS = LAST_ROW * <uint64_t>0x0101010101010101
cdef int64_t MAX_TIME_NS = 1 << 62    # so that stamp plus correction fits; the year is 2116
cdef int64_t NO_ID = -1


@cython.final
cdef class TapeCursor:
    """A tape from its start: iterate it for ``(ns, event)``, or read it from compiled code.

    `source` yields batches, each a sequence: the number of rows, then a buffer for each of `COLUMN_NAMES`, then the
    three buffers of the text ids (validity bits or None, offsets, text) or None in place of all three. Buffers are
    held until the next batch is asked for. `name` stands in error lines.

    An event is a new `DepthUpdate`, `PublicTrade`, `OrderChange` or `RateUpdate`; ns is when it was received by the
    tape's corrected clock (``recv_ns + correction_ns``, and never before the event before it). Its ``recv_ns`` is the
    same number.

    Raises TapeError where a batch or a row is not what it should be; all whole messages before have been given out.
    """

    def __cinit__(
        self, source, *, int price_decimals, int qty_decimals, int64_t correction_ns=0, str name not None="tape",
    ):
        if not (0 <= price_decimals <= MAX_DECIMALS and 0 <= qty_decimals <= MAX_DECIMALS):
            raise TapeError(
                f"{name}: expected 0 to {MAX_DECIMALS} decimals, got {price_decimals} of prices,"
                f" {qty_decimals} of quantities"
            )
        if not -MAX_TIME_NS < correction_ns < MAX_TIME_NS:
            raise TapeError(f"{name}: expected a clock correction below 2**62 ns, got {correction_ns}")
        self.source = iter(source)
        self.name = name
        self.price_unit = unit_of(price_decimals)
        self.qty_unit = unit_of(qty_decimals)
        self.correction_ns = correction_ns
        self.reads_ids = True
        self.peek()

    def __dealloc__(self):
        self.let_go()

    def __iter__(self):
        return self

    def __next__(self):
        cdef int64_t ns = self.next_ns
        cdef DepthUpdate update
        cdef PublicTrade trade
        cdef OrderChange change
        cdef RateUpdate rate
        if self.next_kind == END:
            raise StopIteration
        if self.next_kind == DEPTH:
            update = DepthUpdate.__new__(DepthUpdate)
            self.read_depth(update)
            return ns, update
        if self.next_kind == TRADE:
            trade = PublicTrade.__new__(PublicTrade)
            self.read_trade(trade)
            return ns, trade
        if ORDER_ADD <= self.next_kind <= ORDER_DELETE:
            change = OrderChange.__new__(OrderChange)
            self.read_order(change)
            return ns, change
        rate = RateUpdate.__new__(RateUpdate)
        self.read_rate(rate)
        return ns, rate

    def read_through(self):
        """Read what is left without keeping it; returns how many levels and how many events there were.

        What it costs is what the tape costs a compiled reader. Raises TapeError as iterating does.
        """
        cdef DepthUpdate update = DepthUpdate.__new__(DepthUpdate)
        cdef PublicTrade trade = PublicTrade.__new__(PublicTrade)
        cdef OrderChange change = OrderChange.__new__(OrderChange)
        cdef RateUpdate rate = RateUpdate.__new__(RateUpdate)
        cdef int64_t levels = 0
        cdef int64_t events = 0
        while self.next_kind != END:
            if self.next_kind == DEPTH:
                self.read_depth(update)
                levels += update.bid_count + update.ask_count
            elif self.next_kind == TRADE:
                self.read_trade(trade)
            elif ORDER_ADD <= self.next_kind <= ORDER_DELETE:
                self.read_order(change)
            else:
                self.read_rate(rate)
            events += 1
        return levels, events

    def skip_until(self, int64_t ns):
        """Pass over the events before a time; returns how many. Their rows are not looked into."""
        cdef int64_t events = 0
        while self.next_ns < ns and self.next_kind != END:
            self.skip()
            events += 1
        return events

    # -- events ----------------------------------------------------------------------------------------------

    cdef int read_depth(self, DepthUpdate into) except -1:
        cdef int last_side = 0
        cdef Py_ssize_t end, bad
        self.check_next(DEPTH)
        into.is_snapshot = self.flags[self.at] & SNAPSHOT != 0
        into.recv_ns = self.next_ns
        into.venue_ns = self.venue_ns[self.at]
        into.seq = self.seq[self.at]
        into.prev_seq = self.prev_seq[self.at]
        into.bid_count = into.ask_count = 0
        if self.flags[self.at] & (NO_LEVEL | LAST_ROW) == (NO_LEVEL | LAST_ROW):
            self.at += 1
            return self.peek()
        while True:
            end = self.message_end()
            if into.bid_count + into.ask_count + end - self.at > MAX_MESSAGE_ROWS:
                raise self.error_at(self.at, f"expected a message of at most {MAX_MESSAGE_ROWS} levels, got more")
            into.reserve(into.bid_count + into.ask_count + end - self.at)
            bad = self.bad_level(into, end, &last_side)
            if bad >= 0:
                into.bid_count = into.ask_count = 0
                self.fail_level(bad)
            self.at = end
            if self.flags[end - 1] & LAST_ROW:
                return self.peek()
            if not self.load():
                raise self.error_at(0, "expected the rest of a depth message, the tape is cut off")

    cdef int read_trade(self, PublicTrade into) except -1:
        cdef Py_ssize_t row = self.at
        self.check_next(TRADE)
        if self.side[row] > 1 or self.price[row] <= 0 or self.qty[row] <= 0:
            raise self.error_at(
                row, f"expected a trade with a side 0 or 1, a price and a qty above 0,"
                f" got {self.side[row]}, {self.price[row]}, {self.qty[row]}"
            )
        if self.reads_ids:
            into.trade_id = self.text_id(row)
        into.recv_ns = self.next_ns
        into.venue_ns = self.venue_ns[row]
        into.taker_index = self.side[row]
        into.price_mantissa = <int128>self.price[row] * self.price_unit
        into.qty_mantissa = <int128>self.qty[row] * self.qty_unit
        self.at += 1
        return self.peek()

    cdef int read_order(self, OrderChange into) except -1:
        cdef Py_ssize_t row = self.at
        cdef bint is_add = self.next_kind == ORDER_ADD
        if not ORDER_ADD <= self.next_kind <= ORDER_DELETE:
            self.check_next(ORDER_ADD)
        if self.side[row] > 1 or self.price[row] < is_add or self.qty[row] < is_add:
            least = "above 0" if is_add else "of 0 or more"
            raise self.error_at(
                row, f"expected an order with a side 0 or 1, a price and a qty {least},"
                f" got {self.side[row]}, {self.price[row]}, {self.qty[row]}"
            )
        into.action_index = self.next_kind - ORDER_ADD
        into.is_snapshot = self.flags[row] & SNAPSHOT != 0
        into.is_first = not self.within_message
        into.is_last = self.flags[row] & LAST_ROW != 0
        into.recv_ns = self.next_ns
        into.venue_ns = self.venue_ns[row]
        into.seq = self.seq[row]
        into.order_id = self.id[row]
        into.side_index = self.side[row]
        into.price_mantissa = <int128>self.price[row] * self.price_unit
        into.qty_mantissa = <int128>self.qty[row] * self.qty_unit
        self.within_message = not into.is_last
        self.at += 1
        return self.peek()

    cdef int read_rate(self, RateUpdate into) except -1:
        cdef Py_ssize_t row = self.at
        if self.next_kind < FUNDING:
            self.check_next(FUNDING)
        if self.next_kind != FUNDING and self.price[row] <= 0:
            raise self.error_at(row, f"expected a price above 0, got {self.price[row]}")
        into.kind_index = self.next_kind - FUNDING
        into.recv_ns = self.next_ns
        into.venue_ns = self.venue_ns[row]
        into.due_ns = self.id[row] if self.next_kind == FUNDING else 0
        if self.next_kind == FUNDING:
            into.mantissa = <int128>self.qty[row] * unit_of(RATE_DECIMALS)
        else:
            into.mantissa = <int128>self.price[row] * self.price_unit
        self.at += 1
        return self.peek()

    cdef int skip(self) except -1:
        if self.next_kind != DEPTH:
            if self.next_kind < 0:
                self.check_next(DEPTH)
            self.within_message = self.next_kind <= ORDER_DELETE and not self.flags[self.at] & LAST_ROW
            self.at += 1
            return self.peek()
        while True:
            self.at = self.message_end()
            if self.flags[self.at - 1] & LAST_ROW:
                return self.peek()
            if not self.load():
                raise self.error_at(0, "expected the rest of a depth message, the tape is cut off")

    # -- rows ------------------------------------------------------------------------------------------------

    cdef int peek(self) except -1:
        """See what comes next. What is wrong with it is kept for the next read: this one has gone well."""
        cdef int64_t ns
        try:
            if self.at == self.rows and not self.load():
                self.next_kind = END
                self.next_ns = INT64_MAX
                return 0
            if self.kind[self.at] > LAST_KIND:
                raise self.error_at(self.at, f"expected a kind from 0 to {LAST_KIND}, got {self.kind[self.at]}")
            ns = self.recv_ns[self.at]
            if not 0 <= ns < MAX_TIME_NS:
                raise self.error_at(self.at, f"expected recv_ns from 0 to 2**62, got {ns}")
        except Exception as error:
            self.break_off(error)
            return 0
        self.next_kind = self.kind[self.at]
        self.next_ns = max(self.next_ns, ns + self.correction_ns)
        return 0

    cdef int check_next(self, int kind) except -1:
        if self.next_kind == BROKEN:
            raise self.failure
        if self.next_kind != kind:
            raise ValueError(f"{self.name}: expected to be asked for kind {self.next_kind}, got {kind}")
        return 0

    cdef Py_ssize_t message_end(self) except -1:
        """Where the message that `at` is in ends in this batch, the row after its last."""
        cdef const uint8_t *flags = self.flags
        cdef Py_ssize_t rows = self.rows
        cdef Py_ssize_t row = self.at
        while row + 8 <= rows and not eight_flags(flags + row) & LAST_ROWS:
            row += 8
        while row < rows:
            row += 1
            if flags[row - 1] & LAST_ROW:
                break
        if row < rows:                # what is asked of the next message first: its lines are not in the cache yet
            prefetch(&self.recv_ns[row])
            prefetch(&self.venue_ns[row])
            prefetch(&self.seq[row])
            prefetch(&self.prev_seq[row])
        return row

    cdef Py_ssize_t bad_level(self, DepthUpdate into, Py_ssize_t end, int *last_side) noexcept:
        """Append the levels from `at` to `end`, for which there is room; the first row that is wrong, or -1."""
        cdef Level *level = into.levels + into.bid_count + into.ask_count
        cdef const uint8_t *kind = self.kind      # the compiler cannot know that levels are not written over self
        cdef const uint8_t *flags = self.flags
        cdef const uint8_t *sides = self.side
        cdef const int64_t *price = self.price
        cdef const int64_t *qty = self.qty
        cdef int64_t price_unit = self.price_unit
        cdef int64_t qty_unit = self.qty_unit
        cdef int side = last_side[0]
        cdef Py_ssize_t row
        cdef Py_ssize_t first_ask = self.at if side else end
        for row in range(self.at, end):
            if sides[row] != side:
                if side or sides[row] != 1:
                    return row
                side = 1
                first_ask = row
            if kind[row] != DEPTH or flags[row] & NO_LEVEL or price[row] <= 0 or qty[row] < 0:
                return row
            level.price = <int128>price[row] * price_unit
            level.qty = <int128>qty[row] * qty_unit
            level += 1
        last_side[0] = side
        into.bid_count += first_ask - self.at
        into.ask_count += end - first_ask
        return -1

    cdef int fail_level(self, Py_ssize_t row) except -1:
        raise self.error_at(
            row, "expected another level of the depth message (kind 0, bids (side 0) before asks (side 1), a price"
            f" above 0, a qty of 0 or more, not flagged as empty), got kind {self.kind[row]}, side {self.side[row]},"
            f" price {self.price[row]}, qty {self.qty[row]}, flags {self.flags[row]}"
        )

    cdef str text_id(self, Py_ssize_t row):
        """A trade's id as text: the source's own, else the number, else nothing."""
        cdef int32_t start, end
        if self.text_at != NULL and (self.text_there == NULL or self.text_there[row >> 3] >> (row & 7) & 1):
            start, end = self.text_at[row], self.text_at[row + 1]
            if not 0 <= start <= end <= self.text_size:
                raise self.error_at(row, f"expected a text id within {self.text_size} bytes, got {start} to {end}")
            try:
                return PyUnicode_DecodeUTF8(self.text + start, end - start, NULL)
            except UnicodeDecodeError as error:
                raise self.error_at(row, f"expected a text id in UTF-8, got bytes that are not: {error}") from None
        return "" if self.id[row] == NO_ID else str(self.id[row])

    cdef object error_at(self, Py_ssize_t row, str text):
        return self.break_off(TapeError(f"{self.name}: row {self.rows_before + row}: {text}"))

    cdef object break_off(self, object error):
        """Nothing behind an error is read: it is raised again whatever is asked for."""
        self.failure = error
        self.next_kind = BROKEN
        return error

    # -- batches ---------------------------------------------------------------------------------------------

    cdef int load(self) except -1:
        """Go to the next batch that has rows; 0: there is none."""
        while True:
            self.let_go()
            self.rows_before += self.rows
            self.at = self.rows = 0
            try:
                batch = next(self.source, None)
                if batch is None:
                    return 0
                self.load_columns(batch)
            except Exception as error:
                raise self.break_off(error)
            if self.rows > 0:
                return 1

    cdef int load_columns(self, object columns) except -1:
        cdef Py_ssize_t rows, column
        if not isinstance(columns, (list, tuple)) or len(columns) != COLUMN_COUNT + 2:
            raise self.error_at(0, f"expected a batch of {COLUMN_COUNT} columns, got {type(columns).__name__}")
        rows = columns[0]
        if not 0 <= rows <= MAX_ROWS:
            raise self.error_at(0, f"expected a batch of at most {MAX_ROWS} rows, got {rows}")
        for column in range(COLUMN_COUNT):
            name = COLUMN_NAMES[column]
            self.hold(columns[1 + column], name, 1 if name in SMALL_COLUMNS else 8, rows)
        self.recv_ns = <const int64_t *>self.views[0].buf
        self.venue_ns = <const int64_t *>self.views[1].buf
        self.kind = <const uint8_t *>self.views[2].buf
        self.flags = <const uint8_t *>self.views[3].buf
        self.side = <const uint8_t *>self.views[4].buf
        self.price = <const int64_t *>self.views[5].buf
        self.qty = <const int64_t *>self.views[6].buf
        self.seq = <const int64_t *>self.views[7].buf
        self.prev_seq = <const int64_t *>self.views[8].buf
        self.id = <const int64_t *>self.views[9].buf
        self.rows = rows
        return self.load_texts(columns[11])

    cdef int load_texts(self, object texts) except -1:
        self.text_there = NULL
        self.text_at = NULL
        if texts is None:
            return 0
        offsets, text, validity = texts
        self.hold(offsets, "text_id", 4, self.rows + 1)
        self.hold(text, "text_id", 1, 0)
        if validity is not None:
            self.hold(validity, "text_id", 1, (self.rows + 7) // 8)
            self.text_there = <const uint8_t *>self.views[COLUMN_COUNT + 2].buf
        self.text = <const char *>self.views[COLUMN_COUNT + 1].buf
        self.text_size = self.views[COLUMN_COUNT + 1].len
        self.text_at = <const int32_t *>self.views[COLUMN_COUNT].buf
        return 0

    cdef int hold(self, object column, str name, Py_ssize_t width, Py_ssize_t count) except -1:
        """Hold a column's memory in the next view, if it is large enough for `count` values of `width` bytes."""
        cdef Py_buffer *view = &self.views[self.view_count]
        PyObject_GetBuffer(column, view, PyBUF_SIMPLE)
        self.view_count += 1
        if view.len < count * width:
            raise self.error_at(0, f"column {name}: expected {count} values of {width} bytes, got {view.len} bytes")
        if count > 0 and <size_t>view.buf % width != 0:
            raise self.error_at(0, f"column {name}: expected memory that is aligned to {width} bytes")
        return 0

    cdef void let_go(self) noexcept:
        while self.view_count > 0:
            self.view_count -= 1
            PyBuffer_Release(&self.views[self.view_count])


cdef inline uint64_t eight_flags(const uint8_t *flags) noexcept:
    cdef uint64_t eight
    memcpy(&eight, flags, sizeof(eight))
    return eight


cdef int64_t unit_of(int decimals) noexcept:
    """What one of a column with so many decimals is as a mantissa of 18."""
    cdef int64_t unit = 1
    cdef int _
    for _ in range(decimals, MAX_DECIMALS):
        unit *= 10
    return unit
