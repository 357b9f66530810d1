"""The dispatcher: the only way into a strategy's code.

It finds the strategy's bound methods once, calls them positionally, and keeps four promises:

* no callback runs inside another: what is posted while user code runs waits until that code has returned, and is
  delivered before anything else;
* a callback that the strategy does not define costs nothing, not even the values it would have been given;
* an exception in user code stops all further delivery and is kept, never let through into the caller's half-done
  work;
* user code that takes longer than its budget is named; watching for it costs two readings of the processor's counter
  for each message, and nothing for each callback.

Market data takes the short way: arguments on the C stack, straight into the function's own entry point. Everything
else, and market data while anything is out of the ordinary (`state`), goes through `invoke` as a tuple.
"""

from collections import deque

cimport cython
from cpython.long cimport PyLong_FromLongLong
from cpython.object cimport PyObject
from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memcpy

from mlthon._core.callbacks import CALLBACKS, bound_callback
from mlthon._core.enums import Side

from mlthon._core.callbacks cimport (
    NUM_MARKET_CALLBACKS,
    ON_ADD_LEVEL,
    ON_ADD_PRICE_LEVEL,
    ON_BEST_ASK,
    ON_BEST_BID,
    ON_DELETE_LEVEL,
    ON_DELETE_PRICE_LEVEL,
    ON_MODIFY_LEVEL,
    ON_PUBLIC_TRADE,
)
from mlthon._core.fixed cimport Price, Qty, price_from, qty_from
from mlthon._core.int128 cimport int128
from mlthon._core.price_book cimport ADDED, DELETED, MODIFIED, Change, Level
from mlthon._core.python_call cimport (
    Py_DECREF,
    Py_REFCNT,
    PyMethod_Check,
    PyMethod_GET_FUNCTION,
    PyMethod_GET_SELF,
    call_function,
    likely,
    unlikely,
)
from mlthon._core.ticks cimport start_ticks, ticks_at_least, ticks_now, ticks_to_ns

# No sane burst of local answers is longer; a strategy that resends from its reject callback never stops by itself.
cdef Py_ssize_t ENDLESS = 10_000

# After a message whose callbacks took too long together, those of this many messages are timed one by one.
cdef int WATCHED_BATCHES = 100

cdef enum:                            # what is out of the ordinary; all but WATCHED keep callbacks off the short way
    BUSY = 1                          # user code is running
    CLOSED = 2                        # nothing is delivered any more
    WAITING = 4                       # something was posted and is not yet delivered
    DRAINING = 8                      # what was posted is being delivered
    JOURNALED = 16                    # every callback is written down first
    WATCHED = 32                      # the callbacks of a batch are timed one by one

cdef dict POSITIONS = {name: position for position, name in enumerate(CALLBACKS)}
cdef object BUY = Side.Buy
cdef object SELL = Side.Sell
cdef PyObject *SIDES[2]
SIDES[0], SIDES[1] = <PyObject *>BUY, <PyObject *>SELL

start_ticks()


@cython.final
@cython.no_gc_clear                   # `callbacks` points into `methods`; what a strategy holds breaks every cycle
cdef class Dispatcher:
    """Delivers callbacks to one strategy, one at a time.

    `journal(name, args)`, where given, is called before each callback. `wake()` is called when something was posted
    while no user code was running, and must lead to `deliver_waiting()` being called soon. `on_slow(what, took_ns)`
    is called after user code that took `slow_ns` or longer: a callback, a timer, or all callbacks of one message.

    >>> class Strategy:
    ...     def on_start(self, params):
    ...         print("start", params)
    ...         dispatcher.post("on_stop", "again")
    ...         print("started")
    ...     def on_stop(self, params):
    ...         print("stop", params)
    >>> dispatcher = Dispatcher(Strategy())
    >>> dispatcher.call("on_start", "now")
    start now
    started
    stop again
    >>> dispatcher.call("on_account_info", None, "not defined: nothing happens")
    >>> dispatcher.callback_counts()
    {'on_start': 1, 'on_stop': 1}
    """

    def __init__(self, strategy, *, journal=None, wake=None, on_slow=None, int64_t slow_ns=5_000_000):
        self.strategy = strategy
        self.journal = journal
        self.wake = wake
        self.on_slow = on_slow
        self.slow_ns = slow_ns
        self.slow_ticks = ticks_at_least(slow_ns)
        self.waiting = deque()
        self.state = JOURNALED if journal is not None else 0
        self.price = Price()
        self.qty = Qty()
        self.methods = [bound_callback(strategy, name) for name in CALLBACKS]
        for position, method in enumerate(self.methods):
            enter(self, position, method)

    def defines(self, str name) -> bool:
        """Whether the strategy has its own callback of that name."""
        return self.methods[POSITIONS[name]] is not None

    def callback_counts(self) -> dict:
        """How often each callback was called; those never called are left out."""
        return {name: self.made[position] for position, name in enumerate(CALLBACKS) if self.made[position]}

    @property
    def callback_total(self) -> int:
        """How many callbacks were called."""
        return sum(self.callback_counts().values())

    @property
    def is_busy(self) -> bool:
        """Whether user code is running right now."""
        return bool(self.state & BUSY)

    @property
    def last_in_batch(self) -> bool:
        """Whether the message being told causes no callback after the one that is running."""
        return not self.more_to_come

    def call(self, str name, *args):
        """Deliver a callback now, or right after the user code that is running."""
        invoke(self, POSITIONS[name], args)

    def post(self, str name, *args):
        """Deliver a callback soon, but never inside the caller: for what an environment call causes at once."""
        cdef Py_ssize_t position = POSITIONS[name]
        if self.state & CLOSED or not self.wants(position):
            return
        put_aside(self, position, args)
        if not self.state & BUSY and self.wake is not None:
            self.wake()

    def run(self, str what, function, *args):
        """Run other user code (a timer, a command) under the same rules; returns what it returns.

        After an exception, and in a closed dispatcher, returns None.
        """
        if self.state & BUSY:
            raise RuntimeError(f"{what}: user code must not run inside other user code")
        if self.state & CLOSED:
            return None
        cdef int64_t started = ticks_now()
        self.state |= BUSY
        try:
            return function(*args)
        except BaseException as error:
            self.fail(error, what)
            return None
        finally:
            self.state &= ~BUSY
            watch(self, what, started)
            self.deliver_waiting()

    def deliver_waiting(self):
        """Deliver what was posted, in order, together with all that it causes."""
        cdef Py_ssize_t delivered = 0
        if self.state & (BUSY | DRAINING):
            return
        self.state |= DRAINING
        try:
            while self.waiting:
                position, args = self.waiting.popleft()
                invoke(self, position, args)
                delivered += 1
                if delivered == ENDLESS and self.waiting:
                    self.fail(RecursionError(f"{ENDLESS} callbacks in a row were caused by nothing but the requests "
                                             "made in them: the strategy answers its own rejects without end"),
                              CALLBACKS[position])
        finally:
            self.state &= ~DRAINING
            if not self.waiting:
                self.state &= ~WAITING

    def close(self, str last_callback=None):
        """Deliver nothing any more, except `last_callback` once, which even a failed strategy is given."""
        if last_callback is not None:
            self.state &= ~(CLOSED | WAITING)
            self.waiting.clear()
            invoke(self, POSITIONS[last_callback], ())
        self.state = self.state & ~WAITING | CLOSED
        self.waiting.clear()

    def fail(self, error, str where):
        """Keep the first exception of user code and stop delivering."""
        if self.failure is None:
            self.failure = error
            self.failed_in = where
        self.state = self.state & ~WAITING | CLOSED
        self.waiting.clear()
        if self.wake is not None:
            self.wake()

    # -- for compiled callers ------------------------------------------------------------------------------------

    cdef int deliver(self, Py_ssize_t position, PyObject **args, size_t count) except -1:
        cdef int64_t started
        if not self.wants(position):
            return 0
        if unlikely(self.state):
            return invoke(self, position, as_tuple(args, count))
        started = ticks_now()
        call(self, position, args, count)
        if unlikely(ticks_now() - started >= self.slow_ticks):
            watch(self, CALLBACKS[position], started)
        if unlikely(self.state & WAITING):
            self.deliver_waiting()
        return 0

    # -- for compiled callers: market data, the short way ------------------------------------------------------

    cdef void begin_batch(self, Batch *batch, object exchange, object instrument_id, object recv_ts) noexcept:
        batch.exchange = <PyObject *>exchange
        batch.instrument_id = <PyObject *>instrument_id
        batch.recv_ts = <PyObject *>recv_ts
        batch.outer = self.batch
        batch.more_to_come = self.more_to_come
        memcpy(batch.made_before, self.made, sizeof(batch.made_before))
        self.batch = batch
        batch.started = self.watched_since = ticks_now()

    cdef int end_batch(self) except -1:
        cdef Batch *batch = self.batch
        cdef int64_t took = ticks_now() - batch.started
        self.batch = batch.outer
        self.more_to_come = batch.more_to_come
        if took >= self.slow_ticks:
            judge_batch(self, batch, took)
        if self.batches_to_watch:
            self.batches_to_watch -= 1
            if self.batches_to_watch == 0:
                self.state &= ~WATCHED
        return 0

    cdef int price_level(self, Py_ssize_t position, const Batch *batch, int side, const Level *level) except -1:
        cdef PyObject *args[7]
        args[1] = batch.exchange
        args[2] = batch.instrument_id
        return make_price_level(self, position, args, batch, side, level)

    cdef int price_levels(self, const Batch *batch, const Level *levels, const Change *changes, Py_ssize_t bid_count,
                          Py_ssize_t count, bint more) except -1:
        cdef PyObject *args[7]
        cdef Py_ssize_t index
        cdef Change change
        args[1] = batch.exchange
        args[2] = batch.instrument_id
        self.more_to_come = True
        for index in range(count):
            change = changes[index]
            if index == count - 1:
                self.more_to_come = more
            if change == ADDED or change == MODIFIED or change == DELETED:
                make_price_level(self, ON_ADD_PRICE_LEVEL + (change - ADDED), args, batch, index >= bid_count,
                                 &levels[index])
        return 0

    cdef int level(self, Py_ssize_t position, const Batch *batch, int side, int128 level_id,
                   const Level *level) except -1:
        cdef PyObject *args[8]
        if not self.wants(position):
            return 0
        number = PyLong_FromLongLong(<long long>level_id) if level_id <= INT64_MAX else level_id
        if unlikely(self.state & ~WATCHED):
            return level_as_tuple(self, position, batch, side, number, level)
        args[1] = batch.exchange
        args[2] = batch.instrument_id
        args[3] = SIDES[side]
        args[4] = <PyObject *>number
        if position == ON_DELETE_LEVEL:
            args[5] = batch.recv_ts
            return make(self, position, args, 5)
        if position == ON_MODIFY_LEVEL:
            args[5] = qty_of(self, level.qty)
            args[6] = batch.recv_ts
            return make(self, position, args, 6)
        args[5] = price_of(self, level.price)
        args[6] = qty_of(self, level.qty)
        args[7] = batch.recv_ts
        return make(self, position, args, 7)

    cdef int best(self, const Batch *batch, int side, const Level *level) except -1:
        cdef PyObject *args[6]
        cdef Py_ssize_t position = ON_BEST_BID if side == 0 else ON_BEST_ASK
        if not self.wants(position):
            return 0
        if unlikely(self.state & ~WATCHED):
            return best_as_tuple(self, position, batch, level)
        args[1] = batch.exchange
        args[2] = batch.instrument_id
        args[3] = price_of(self, level.price)
        args[4] = qty_of(self, level.qty)
        args[5] = batch.recv_ts
        return make(self, position, args, 5)

    cdef int public_trade(self, const Batch *batch, int taker_side, const Level *level, object exec_ts) except -1:
        cdef PyObject *args[8]
        if not self.wants(ON_PUBLIC_TRADE):
            return 0
        if unlikely(self.state & ~WATCHED):
            return trade_as_tuple(self, batch, taker_side, level, exec_ts)
        args[1] = batch.exchange
        args[2] = batch.instrument_id
        args[3] = SIDES[taker_side]
        args[4] = price_of(self, level.price)
        args[5] = qty_of(self, level.qty)
        args[6] = <PyObject *>exec_ts
        args[7] = batch.recv_ts
        return make(self, ON_PUBLIC_TRADE, args, 7)


# -- the short way: borrowed arguments on the stack ---------------------------------------------------------


cdef void enter(Dispatcher self, Py_ssize_t position, object method) noexcept:
    """Take a callback apart for the short way."""
    cdef Callback *callback = &self.callbacks[position]
    callback.function = callback.bound_to = NULL
    if method is None:
        return
    if PyMethod_Check(method):
        callback.function = PyMethod_GET_FUNCTION(method)
        callback.bound_to = PyMethod_GET_SELF(method)
    else:
        callback.function = <PyObject *>method


cdef inline int call(Dispatcher self, Py_ssize_t position, PyObject **args, size_t count) except -1:
    """Call with borrowed arguments in args[1] to args[count], which the caller keeps alive."""
    cdef Callback *callback = &self.callbacks[position]
    cdef PyObject *result
    self.made[position] += 1
    self.state |= BUSY
    result = call_function(callback.function, callback.bound_to, args, count)
    self.state &= ~BUSY
    if result is NULL:
        keep_exception(self, position)
    else:
        Py_DECREF(result)
    return 0


cdef inline int make(Dispatcher self, Py_ssize_t position, PyObject **args, size_t count) except -1:
    """Make a callback of a batch."""
    call(self, position, args, count)
    if unlikely(self.state):
        follow_up(self, position)
    return 0


cdef inline int make_price_level(Dispatcher self, Py_ssize_t position, PyObject **args, const Batch *batch, int side,
                                 const Level *level) except -1:
    """Make a callback about a level of a batch, whose first arguments are in their places."""
    if unlikely(self.state & ~WATCHED or not self.wants(position)):
        return price_level_as_tuple(self, position, batch, side, level)
    args[3] = SIDES[side]
    args[4] = price_of(self, level.price)
    if position == ON_DELETE_PRICE_LEVEL:
        args[5] = batch.recv_ts
        return make(self, position, args, 5)
    args[5] = qty_of(self, level.qty)
    args[6] = batch.recv_ts
    return make(self, position, args, 6)


cdef inline PyObject *price_of(Dispatcher self, int128 mantissa) except NULL:
    """A Price for one callback: the last one over again, unless somebody kept it."""
    cdef PyObject *last = <PyObject *>self.price
    if likely(Py_REFCNT(last) == 1):
        (<Price>last).mantissa = mantissa
        return last
    self.price = price_from(mantissa)
    return <PyObject *>self.price


cdef inline PyObject *qty_of(Dispatcher self, int128 mantissa) except NULL:
    cdef PyObject *last = <PyObject *>self.qty
    if likely(Py_REFCNT(last) == 1):
        (<Qty>last).mantissa = mantissa
        return last
    self.qty = qty_from(mantissa)
    return <PyObject *>self.qty


cdef int follow_up(Dispatcher self, Py_ssize_t position) except -1:
    """Do what is to be done after a callback, but seldom is."""
    if self.state & WATCHED:
        watch(self, CALLBACKS[position], self.watched_since)
    if self.state & WAITING:
        self.deliver_waiting()
    self.watched_since = ticks_now()
    return 0


cdef int keep_exception(Dispatcher self, Py_ssize_t position) except -1:
    """Keep the exception that is set."""
    try:
        raise_what_is_set()
    except BaseException as error:
        self.fail(error, CALLBACKS[position])
    return 0


cdef int raise_what_is_set() except -1:
    return -1


# -- the long way: everything, as a tuple -------------------------------------------------------------------


cdef int invoke(Dispatcher self, Py_ssize_t position, tuple args) except -1:
    cdef int64_t started
    if self.state & CLOSED or not self.wants(position):
        return 0
    if self.state & BUSY:
        put_aside(self, position, args)
        return 0
    self.state |= BUSY
    started = ticks_now()
    try:
        if self.journal is not None:
            self.journal(CALLBACKS[position], args)
            started = ticks_now()
        self.made[position] += 1
        self.methods[position](*args)
    except BaseException as error:
        self.fail(error, CALLBACKS[position])
    finally:
        self.state &= ~BUSY
    watch(self, CALLBACKS[position], started)
    if self.state & WAITING:
        self.deliver_waiting()
    return 0


cdef tuple as_tuple(PyObject **args, size_t count):
    """Borrowed arguments, which are in args[1] to args[count], as a tuple of their own."""
    cdef size_t index
    cdef list kept = []
    for index in range(1, count + 1):
        kept.append(<object>args[index])
    return tuple(kept)


cdef int put_aside(Dispatcher self, Py_ssize_t position, tuple args) except -1:
    self.waiting.append((position, args))
    self.state |= WAITING
    return 0


cdef int price_level_as_tuple(Dispatcher self, Py_ssize_t position, const Batch *batch, int side,
                              const Level *level) except -1:
    if not self.wants(position):
        return 0
    args = (<object>batch.exchange, <object>batch.instrument_id, <object>SIDES[side], price_from(level.price))
    if position != ON_DELETE_PRICE_LEVEL:
        args = (*args, qty_from(level.qty))
    return invoke(self, position, (*args, <object>batch.recv_ts))


cdef int level_as_tuple(Dispatcher self, Py_ssize_t position, const Batch *batch, int side, object level_id,
                        const Level *level) except -1:
    args = (<object>batch.exchange, <object>batch.instrument_id, <object>SIDES[side], level_id)
    if position == ON_ADD_LEVEL:
        args = (*args, price_from(level.price))
    if position != ON_DELETE_LEVEL:
        args = (*args, qty_from(level.qty))
    return invoke(self, position, (*args, <object>batch.recv_ts))


cdef int best_as_tuple(Dispatcher self, Py_ssize_t position, const Batch *batch, const Level *level) except -1:
    return invoke(self, position, (<object>batch.exchange, <object>batch.instrument_id, price_from(level.price),
                                   qty_from(level.qty), <object>batch.recv_ts))


cdef int trade_as_tuple(Dispatcher self, const Batch *batch, int taker_side, const Level *level,
                        object exec_ts) except -1:
    return invoke(self, ON_PUBLIC_TRADE, (<object>batch.exchange, <object>batch.instrument_id,
                                          <object>SIDES[taker_side], price_from(level.price), qty_from(level.qty),
                                          exec_ts, <object>batch.recv_ts))


# -- what takes too long ------------------------------------------------------------------------------------


cdef int watch(Dispatcher self, str what, int64_t started) except -1:
    """Note what has just returned if it took too long."""
    cdef int64_t took = ticks_now() - started
    cdef int64_t took_ns
    if took < self.slow_ticks:
        return 0
    took_ns = ticks_to_ns(took)
    if took_ns < self.slow_ns:
        return 0
    if self.batch is not NULL:
        self.batch.started += took          # not to be noted again with the batch it is part of
    return note_slow(self, what, took_ns)


cdef int judge_batch(Dispatcher self, const Batch *batch, int64_t took) except -1:
    """Note a batch that took too long by what was called in it, and have a closer look at the next ones."""
    cdef int64_t took_ns = ticks_to_ns(took)
    if took_ns < self.slow_ns:
        return 0
    made = {CALLBACKS[position]: self.made[position] - batch.made_before[position]
            for position in range(NUM_MARKET_CALLBACKS)}
    called = [f"{count} x {name}" if count > 1 else name for name, count in made.items() if count]
    if not called:
        return 0
    if sum(made.values()) > 1:
        self.state |= WATCHED
        self.batches_to_watch = WATCHED_BATCHES
    return note_slow(self, " + ".join(called), took_ns)


cdef int note_slow(Dispatcher self, str what, int64_t took_ns) except -1:
    self.slow_count += 1
    if self.on_slow is not None:
        self.on_slow(what, took_ns)
    return 0
