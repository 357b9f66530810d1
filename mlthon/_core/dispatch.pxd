# The way into a strategy's callbacks, for compiled callers on the market data path.

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t
from mlthon._core.callbacks cimport NUM_CALLBACKS, NUM_MARKET_CALLBACKS
from mlthon._core.fixed cimport Price, Qty
from mlthon._core.int128 cimport int128
from mlthon._core.price_book cimport Change, Level

cdef struct Callback:
    PyObject *function                # NULL: the strategy does not define it
    PyObject *bound_to                # the first argument of a bound method's function, or NULL

cdef struct Batch:                    # the callbacks of one message; it lives on its maker's stack
    PyObject *exchange                # the first arguments of each: borrowed
    PyObject *instrument_id
    PyObject *recv_ts
    Batch *outer                      # the batch that was under way, or NULL
    bint more_to_come                 # as it was
    int64_t started                   # in ticks
    int64_t[NUM_MARKET_CALLBACKS] made_before


@cython.final
cdef class Dispatcher:
    cdef readonly object strategy
    cdef readonly object failure          # the exception a callback raised, or None
    cdef readonly str failed_in           # the callback that raised it
    cdef readonly int64_t slow_count      # how often user code took longer than its budget
    cdef bint more_to_come                # the message being told causes another callback after this one
    cdef unsigned int state               # what keeps a callback from taking the short way: bits of dispatch.pyx
    cdef Callback[NUM_CALLBACKS] callbacks
    cdef int64_t[NUM_CALLBACKS] made      # how often each was called
    cdef list methods                     # bound methods by position; None where not defined
    cdef Price price                      # the values last handed out: handed out again where nobody kept them
    cdef Qty qty
    cdef object waiting                   # deque of (position, args) posted while user code was running
    cdef object journal                   # called with (name, args) before each callback, or None
    cdef object wake                      # asks the event loop to call deliver_waiting soon
    cdef object on_slow                   # called with (what, took_ns), or None
    cdef int64_t slow_ns                  # the budget of user code
    cdef int64_t slow_ticks               # what took fewer is within it
    cdef Batch *batch                     # the one under way, or NULL
    cdef int batches_to_watch             # with each callback timed by itself
    cdef int64_t watched_since            # in ticks: when the last of those returned

    cdef inline bint wants(self, Py_ssize_t position) noexcept:
        """Whether the strategy defines a callback."""
        return self.callbacks[position].function is not NULL

    # Any callback, by its position in CALLBACKS, now or right after the user code that is running; its arguments are
    # args[1] to args[count], borrowed, and args[0] is free.
    cdef int deliver(self, Py_ssize_t position, PyObject **args, size_t count) except -1

    # The callbacks of a message: begin, set `more_to_come` before each, end whatever happens.
    cdef void begin_batch(self, Batch *batch, object exchange, object instrument_id, object recv_ts) noexcept
    cdef int end_batch(self) except -1

    # Market data: nothing is built for a callback that the strategy does not define.
    cdef int price_level(self, Py_ssize_t position, const Batch *batch, int side, const Level *level) except -1
    # The changes of one message, bids first, the last of them one that is told, and whether callbacks come after
    # them: `more_to_come` is set here.
    cdef int price_levels(self, const Batch *batch, const Level *levels, const Change *changes, Py_ssize_t bid_count,
                          Py_ssize_t count, bint more) except -1
    cdef int level(self, Py_ssize_t position, const Batch *batch, int side, int128 level_id,
                   const Level *level) except -1
    cdef int best(self, const Batch *batch, int side, const Level *level) except -1
    cdef int public_trade(self, const Batch *batch, int taker_side, const Level *level, object exec_ts) except -1
