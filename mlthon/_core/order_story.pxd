# The engine's truth about orders, for compiled callers.

cimport cython
from mlthon._core.dispatch cimport Dispatcher
from mlthon._core.fixed cimport Price, Qty
from mlthon._core.int128 cimport int128


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

    cdef int begin(self, str client_id, tuple request) except -1
    cdef int128 leaves(self) noexcept


cdef class OrderStory:
    cdef public object exchange
    cdef readonly object gateway
    cdef readonly dict counts         # sent, acked, rejected, cancelled, filled; fills; foreign; withdrawals refused
    cdef public long long events      # reports and answers received
    cdef public bint announced        # the strategy is being told; before, nothing is
    cdef Dispatcher dispatcher
    cdef object on_fill, on_incomplete, record_order
    cdef dict by_client_id, by_wire_id, by_exchange_id
    cdef dict open                    # by wire id, oldest first
    cdef object ended                 # deque of orders, in the order in which they ended

    # Requests that nothing is wrong with: they are handed to the gateway, and noted.
    cdef int send_new_order(self, str client_id, tuple request) except -1
    cdef int send_cancel_order(self, DeskOrder order) except -1

    cdef int ack(self, DeskOrder order) except -1
    cdef int reject_new(self, DeskOrder order, object code, str reason) except -1
    cdef int settle_modify(self, DeskOrder order, Price price, Qty qty) except -1
    cdef int settle_resize(self, DeskOrder order, Qty order_qty) except -1
    cdef int refuse_modify(self, DeskOrder order, object code, str reason) except -1
    cdef int answer_cancel(self, DeskOrder order) except -1
    cdef int refuse_cancel(self, DeskOrder order, object code, str reason) except -1
    cdef int end_if_fills_complete(self, DeskOrder order) except -1
    cdef int end(self, DeskOrder order, str how, str why_too_late) except -1
    cdef DeskOrder find_order(self, str wire_id, str exchange_id)
    cdef int learn_exchange_id(self, DeskOrder order, str exchange_id) except -1
    cdef int count(self, str what) except -1
    cdef int note(self, object event, DeskOrder order, object code) except -1
    cdef int tell(self, Py_ssize_t position, tuple args) except -1
