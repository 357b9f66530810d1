# The engine's truth about orders, for compiled callers.

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t
from mlthon._core.chain cimport Chain, Link
from mlthon._core.dispatch cimport Dispatcher
from mlthon._core.fixed cimport Price, Qty
from mlthon._core.id_register cimport IdRegister
from mlthon._core.int128 cimport int128
from mlthon._core.milliseconds cimport Milliseconds
from mlthon._core.order_messages cimport NewOrderRequest, OrderReport
from mlthon._core.recipient cimport CompiledGateway

cdef enum:                            # what is counted
    SENT, ACKED, ENDED_REJECTED, ENDED_CANCELLED, ENDED_FILLED, FILLS, FOREIGN, WITHDRAWALS_REFUSED
    COUNTED                           # how many there are

cdef enum Step:                       # the values of OrderEvent
    STEP_SENT = 1
    STEP_ACKED, STEP_REJECTED, STEP_MODIFY_SENT, STEP_MODIFIED, STEP_MODIFY_REJECTED, STEP_CANCEL_SENT
    STEP_CANCEL_REJECTED, STEP_CANCELLED, STEP_FILLED

cdef enum:
    NO_ROW = -1
    RECENT = 256                      # ids that are known on sight


@cython.final
cdef class DeskOrder:
    cdef readonly str client_id
    cdef readonly str wire_id
    cdef readonly object instrument
    cdef readonly object side
    cdef readonly Price price         # zero: a market order
    cdef readonly Qty qty
    cdef readonly object order_type
    cdef readonly object tif
    cdef readonly object exec_instr
    cdef readonly str exchange_id     # "" while the venue has not told it
    cdef readonly bint acked          # the strategy was told that the order lives
    cdef readonly bint ended          # the strategy was told, or could conclude, that it no longer does
    cdef public bint cancel_pending
    cdef public bint cancel_asked     # by the strategy, ever: its end is then not unsolicited
    cdef public bint withdrawal_pending   # a cancel of the engine's own, which the strategy is not told of
    cdef public object modify_pending  # the ModifyOrderRequest, or None
    cdef readonly object held_end      # the OrderReport of an end that waits for its fills, or None
    cdef int128 filled
    cdef set exec_ids                 # None: no fills yet
    cdef Link place                   # among the open orders, or those that have ended
    cdef Link unfiled
    cdef bint is_filed                # it is found by its ids on the wire; else it is in line to be
    cdef readonly Py_ssize_t record_row    # its number in its recorder's books; NO_ROW before the first step

    cdef int begin(self, str client_id, NewOrderRequest request) except -1
    cdef Qty open_qty(self)
    cdef int128 leaves(self) noexcept


cdef class OrderRecorder:
    # A step, before the strategy hears of it; `code` is the value of why it was refused, or 0.
    cdef int record(self, Step step, DeskOrder order, int code) except -1


cdef class OrderStory:
    cdef public object exchange
    cdef readonly object gateway
    cdef CompiledGateway requests     # the gateway, reached the shortest way
    cdef long long[COUNTED] tally
    cdef public long long events      # reports and answers received
    cdef public bint announced        # the strategy is being told; before, nothing is
    cdef Dispatcher dispatcher
    cdef object on_fill, on_incomplete
    cdef OrderRecorder recorder       # or None
    cdef IdRegister by_client_id      # all that are remembered, which it holds
    cdef Chain open                   # the oldest first
    cdef Chain ended                  # in the order in which they ended
    cdef dict by_wire_id, by_exchange_id   # filled when somebody asks
    cdef Chain unfiled                # those that are not in them yet
    cdef PyObject *recent[RECENT]     # orders by where their ids lie in memory, borrowed; NULL: none
    cdef object last_instrument, last_id
    cdef Milliseconds ms

    # Requests that nothing is wrong with: they are handed to the gateway, and noted.
    cdef int send_new_order(self, str client_id, NewOrderRequest request) except -1
    cdef int send_cancel_order(self, DeskOrder order) except -1

    # The same as the listener's methods.
    cdef int accept(self, str wire_id, str exchange_id, bint is_cancel) except -1
    cdef int apply_report(self, OrderReport report) except -1

    cdef int ack(self, DeskOrder order) except -1
    cdef int reject_new(self, DeskOrder order, object code, str reason) except -1
    cdef int settle_modify(self, DeskOrder order, Price price, Qty qty) except -1
    cdef int settle_resize(self, DeskOrder order, Qty order_qty) except -1
    cdef int refuse_modify(self, DeskOrder order, object code, str reason) except -1
    cdef int answer_cancel(self, DeskOrder order) except -1
    cdef int refuse_cancel(self, DeskOrder order, object code, str reason) except -1
    cdef int end_if_fills_complete(self, DeskOrder order) except -1
    cdef int end(self, DeskOrder order, int how, str why_too_late) except -1
    cdef int forget(self, DeskOrder order) except -1
    cdef DeskOrder order_of(self, str client_id)
    cdef DeskOrder find_order(self, str wire_id, str exchange_id)
    cdef int file_orders(self) except -1
    cdef int learn_exchange_id(self, DeskOrder order, str exchange_id) except -1
    cdef object id_of(self, object instrument)
    cdef int note(self, Step step, DeskOrder order, object code) except -1
    cdef int tell(self, Py_ssize_t position, DeskOrder order, size_t count=*, a=*, b=*, c=*, d=*,
                  e=*, f=*) except -1
