# A tape read in order, an event at a time, for other compiled modules.
#
# Ask `next_kind`, then call the read function of that kind (or `skip`), until next_kind is END. Where the tape is
# broken next_kind is BROKEN, and any read raises what is wrong: everything before has been handed out by then.

from cpython.buffer cimport Py_buffer
from libc.stdint cimport int32_t, int64_t, uint8_t
from mlthon._core.market_event cimport DepthUpdate, PublicTrade
from mlthon._core.order_change cimport OrderChange, RateUpdate

cdef enum RowKind:
    BROKEN = -2
    END = -1
    DEPTH = 0
    TRADE = 1
    ORDER_ADD = 2                     # order by order (L3): add, modify, delete
    ORDER_MODIFY = 3
    ORDER_DELETE = 4
    FUNDING = 5                       # a funding rate, a mark price, an index price
    MARK_PRICE = 6
    INDEX_PRICE = 7
    LAST_KIND = 7

cdef enum RowFlag:
    LAST_ROW = 1                      # of its message
    SNAPSHOT = 2                      # the message is a whole book
    NO_LEVEL = 4                      # the message has no levels; this row only carries its stamps and numbers

cdef enum:
    COLUMN_COUNT = 10
    RATE_DECIMALS = 12                # of a funding rate, whatever the columns' decimals are

cdef class TapeCursor:
    cdef int64_t next_ns              # when the next event is there: received, corrected; INT64_MAX at the end
    cdef int next_kind                # a RowKind
    cdef bint reads_ids               # of trades; False spares whoever does not look at them half of a trade's cost

    cdef int read_depth(self, DepthUpdate into) except -1     # the whole message; into's memory is used again
    cdef int read_trade(self, PublicTrade into) except -1
    cdef int read_order(self, OrderChange into) except -1     # one change; its message goes on unless it is_last
    cdef int read_rate(self, RateUpdate into) except -1
    cdef int skip(self) except -1                             # what the read function of that kind would read

    cdef object source                # the iterator that yields batches
    cdef str name                     # of the tape, for error lines
    cdef int64_t price_unit           # 10**(18 - decimals): what one of the column is in an 18-decimal mantissa
    cdef int64_t qty_unit
    cdef int64_t correction_ns
    cdef object failure               # raised by the next read, when next_kind is BROKEN
    cdef bint within_message          # the row before was of the message that goes on

    cdef Py_buffer[COLUMN_COUNT + 3] views
    cdef int view_count               # how many of them are held
    cdef Py_ssize_t at                # the next row of the batch
    cdef Py_ssize_t rows              # in the batch
    cdef int64_t rows_before          # in the batches before this one
    cdef const int64_t *recv_ns
    cdef const int64_t *venue_ns
    cdef const uint8_t *kind
    cdef const uint8_t *flags
    cdef const uint8_t *side
    cdef const int64_t *price
    cdef const int64_t *qty
    cdef const int64_t *seq
    cdef const int64_t *prev_seq
    cdef const int64_t *id
    cdef const uint8_t *text_there    # text ids: a bit a row (NULL: all are there), where they begin, and the text
    cdef const int32_t *text_at       # NULL where the tape has none
    cdef const char *text
    cdef Py_ssize_t text_size

    cdef int peek(self) except -1
    cdef int load(self) except -1
    cdef int load_columns(self, object columns) except -1
    cdef int load_texts(self, object texts) except -1
    cdef int hold(self, object column, str name, Py_ssize_t width, Py_ssize_t count) except -1
    cdef void let_go(self) noexcept
    cdef int check_next(self, int kind) except -1
    cdef Py_ssize_t message_end(self) except -1
    cdef Py_ssize_t bad_level(self, DepthUpdate into, Py_ssize_t end, int *last_side) noexcept
    cdef int fail_level(self, Py_ssize_t row) except -1
    cdef str text_id(self, Py_ssize_t row)
    cdef object error_at(self, Py_ssize_t row, str text)
    cdef object break_off(self, object error)
