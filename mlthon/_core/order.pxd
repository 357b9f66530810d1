# One order of a strategy, for the order manager.

from mlthon._core.chain cimport Link
from mlthon._core.fixed cimport Price, Qty
from mlthon._core.int128 cimport int128

cdef enum End:
    OPEN, FILLED, CANCELLED, REJECTED

cdef class Order:
    cdef str client_id
    cdef str exchange_id              # "" while the venue has not told it
    cdef object instrument_id
    cdef object side, order_type, tif, exec_instr
    cdef object attachment
    cdef Price price                  # last acknowledged, or asked for at first; None: a market order
    cdef int128 qty                   # last acknowledged, or asked for at first
    cdef bint new_pending, cancel_pending, modify_pending
    cdef Price pending_price          # what the pending modify asks for; None: unchanged
    cdef int128 pending_qty           # zero: unchanged
    cdef End end
    cdef int128 fills_qty             # the sum
    cdef int128 proven_qty            # the proof
    cdef int128 doubtful_qty          # fills that wait for a modify's answer
    cdef int128 least_qty             # the smallest quantity the order had or was to have
    cdef bint was_resized             # another quantity was asked for, at any time
    cdef set fills_told               # (qty, leaves) since resized; None: none
    cdef bint nothing_left            # a fill left zero since the order was resized
    cdef bint zero_told               # a fill or an ack left zero, ever
    cdef Link place                   # among its manager's
    cdef bint retired                 # there it is among those that have ended, or forgotten

    cdef int128 cum_qty(self) noexcept
    cdef int128 leaves_qty(self) noexcept
    cdef bint has_pending_request(self) noexcept

    cdef int prepare_modify(self, Price new_price, int128 new_qty) except -1
    cdef int apply_ack(self, str exchange_id, Price price, Qty leaves) except -1
    cdef int apply_reject(self) except -1
    cdef int apply_modify_ack(self, Price new_price, Qty new_qty, Qty leaves) except -1
    cdef int apply_modify_reject(self) except -1
    cdef bint apply_fill(self, Qty fill, Qty leaves) except -1
    cdef int apply_cancelled(self) except -1

    # Its own affairs.
    cdef int128 leaves_of(self, int128 qty) noexcept
    cdef int count_fill(self, Qty fill, Qty leaves) except -1
    cdef int count_filled(self, int128 qty) except -1
    cdef void learn_from_ack(self, Qty leaves) noexcept
    cdef void end_if_filled(self) noexcept
    cdef bint is_filled(self) noexcept
    cdef void forget_modify(self) noexcept
    cdef void end_as(self, End end) noexcept

# An order as it is before its request is sent; price is None for a market order.
cdef Order new_order(str client_id, str exchange_id, object instrument_id, object side, Price price, Qty qty,
                     object order_type, object tif, object exec_instr, object attachment)
