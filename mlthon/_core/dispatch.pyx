"""The dispatcher: the only way into a strategy's code.

It finds the strategy's bound methods once, calls them positionally, and keeps three promises:

* no callback runs inside another: what is posted while user code runs waits until that code has returned, and is
  delivered before anything else;
* a callback that the strategy does not define costs nothing, not even the values it would have been given;
* an exception in user code stops all further delivery and is kept, never let through into the caller's half-done
  work.
"""

from collections import deque

cimport cython
from mlthon._core.enums cimport side_from
from mlthon._core.fixed cimport price_from, qty_from
from mlthon._core.int128 cimport int128

# The market data callbacks come first: dispatch.pxd names their positions.
CALLBACKS = (
    "on_add_price_level",
    "on_modify_price_level",
    "on_delete_price_level",
    "on_add_level",
    "on_modify_level",
    "on_delete_level",
    "on_best_bid_level_update",
    "on_best_ask_level_update",
    "on_public_trade",
    "on_framework_connected",
    "on_framework_disconnected",
    "on_start",
    "on_stop",
    "on_instruments",
    "on_strat_params_update",
    "on_gateway_status",
    "on_feed_handler_status",
    "on_new_order_ack",
    "on_new_order_reject",
    "on_modify_order_ack",
    "on_modify_order_reject",
    "on_cancel_order_ack",
    "on_cancel_order_reject",
    "on_cancel_all_ack",
    "on_cancel_all_reject",
    "on_order_execution",
    "on_order_cancelled",
    "on_order_status",
    "on_orders_info",
    "on_position_info",
    "on_wallet_info",
    "on_funding_info",
    "on_account_info",
    "on_request_reject",
    "on_rate_limit_info",
    "on_unsupported_op",
)

# No sane burst of local answers is longer; a strategy that resends from its reject callback never stops by itself.
cdef Py_ssize_t ENDLESS = 10_000

cdef dict POSITIONS = {name: position for position, name in enumerate(CALLBACKS)}


def bound_callback(strategy, str name):
    """The strategy's own method of that name, or None where it only has the interface's empty one.

    An interface marks its methods abstract; an override does not.
    """
    method = getattr(strategy, name, None)
    if not callable(method) or getattr(method, "__isabstractmethod__", False):
        return None
    return method


@cython.final
cdef class Dispatcher:
    """Delivers callbacks to one strategy, one at a time.

    `journal(name, args)`, where given, is called before each callback. `wake()` is called when something was posted
    while no user code was running, and must lead to `deliver_waiting()` being called soon.

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

    def __init__(self, strategy, *, journal=None, wake=None):
        self.strategy = strategy
        self.journal = journal
        self.wake = wake
        self.waiting = deque()
        self.methods = [bound_callback(strategy, name) for name in CALLBACKS]
        self.counts = [0] * len(CALLBACKS)

    def defines(self, str name) -> bool:
        """Whether the strategy has its own callback of that name."""
        return self.methods[POSITIONS[name]] is not None

    def callback_counts(self) -> dict:
        """How often each callback was called; those never called are left out."""
        return {name: count for name, count in zip(CALLBACKS, self.counts, strict=True) if count}

    @property
    def callback_total(self) -> int:
        """How many callbacks were called."""
        return sum(self.counts)

    @property
    def is_busy(self) -> bool:
        """Whether user code is running right now."""
        return self.busy

    def call(self, str name, *args):
        """Deliver a callback now, or right after the user code that is running."""
        self.invoke(POSITIONS[name], args)

    def post(self, str name, *args):
        """Deliver a callback soon, but never inside the caller: for what an environment call causes at once."""
        cdef Py_ssize_t position = POSITIONS[name]
        if self.closed or not self.wants(position):
            return
        self.waiting.append((position, args))
        if not self.busy and self.wake is not None:
            self.wake()

    def run(self, str what, function, *args):
        """Run other user code (a timer, a command) under the same rules; returns what it returns.

        After an exception, and in a closed dispatcher, returns None.
        """
        if self.busy:
            raise RuntimeError(f"{what}: user code must not run inside other user code")
        if self.closed:
            return None
        self.busy = True
        try:
            return function(*args)
        except BaseException as error:
            self.fail(error, what)
            return None
        finally:
            self.busy = False
            self.deliver_waiting()

    def deliver_waiting(self):
        """Deliver what was posted, in order, together with all that it causes."""
        cdef Py_ssize_t delivered = 0
        if self.busy or self.draining:
            return
        self.draining = True
        try:
            while self.waiting:
                position, args = self.waiting.popleft()
                self.invoke(position, args)
                delivered += 1
                if delivered == ENDLESS and self.waiting:
                    self.fail(RecursionError(f"{ENDLESS} callbacks in a row were caused by nothing but the requests "
                                             "made in them: the strategy answers its own rejects without end"),
                              CALLBACKS[position])
        finally:
            self.draining = False

    def close(self, str last_callback=None):
        """Deliver nothing any more, except `last_callback` once, which even a failed strategy is given."""
        if last_callback is not None:
            self.closed = False
            self.waiting.clear()
            self.invoke(POSITIONS[last_callback], ())
        self.closed = True
        self.waiting.clear()

    cdef inline bint wants(self, Py_ssize_t position):
        return self.methods[position] is not None

    cdef int invoke(self, Py_ssize_t position, tuple args) except -1:
        if self.closed or not self.wants(position):
            return 0
        if self.busy:
            self.waiting.append((position, args))
            return 0
        self.busy = True
        try:
            if self.journal is not None:
                self.journal(CALLBACKS[position], args)
            self.counts[position] += 1
            self.methods[position](*args)
        except BaseException as error:
            self.fail(error, CALLBACKS[position])
        finally:
            self.busy = False
        if self.waiting:
            self.deliver_waiting()
        return 0

    def fail(self, error, str where):
        """Keep the first exception of user code and stop delivering."""
        if self.failure is None:
            self.failure = error
            self.failed_in = where
        self.closed = True
        self.waiting.clear()
        if self.wake is not None:
            self.wake()

    cdef int price_level(self, Py_ssize_t position, object exchange, object instrument_id, int side,
                         int128 price, int128 qty, bint with_qty, object recv_ts) except -1:
        if not self.wants(position):
            return 0
        if with_qty:
            return self.invoke(position, (exchange, instrument_id, side_from(side), price_from(price),
                                          qty_from(qty), recv_ts))
        return self.invoke(position, (exchange, instrument_id, side_from(side), price_from(price), recv_ts))

    cdef int level(self, Py_ssize_t position, object exchange, object instrument_id, int side, object level_id,
                   int128 price, int128 qty, bint with_price, bint with_qty, object recv_ts) except -1:
        if not self.wants(position):
            return 0
        if with_price:
            return self.invoke(position, (exchange, instrument_id, side_from(side), level_id, price_from(price),
                                          qty_from(qty), recv_ts))
        if with_qty:
            return self.invoke(position, (exchange, instrument_id, side_from(side), level_id, qty_from(qty),
                                          recv_ts))
        return self.invoke(position, (exchange, instrument_id, side_from(side), level_id, recv_ts))

    cdef int best(self, int side, object exchange, object instrument_id, int128 price, int128 qty,
                  object recv_ts) except -1:
        cdef Py_ssize_t position = ON_BEST_BID if side == 0 else ON_BEST_ASK
        if not self.wants(position):
            return 0
        return self.invoke(position, (exchange, instrument_id, price_from(price), qty_from(qty), recv_ts))

    cdef int public_trade(self, object exchange, object instrument_id, int side, int128 price, int128 qty,
                          object exec_ts, object recv_ts) except -1:
        if not self.wants(ON_PUBLIC_TRADE):
            return 0
        return self.invoke(ON_PUBLIC_TRADE, (exchange, instrument_id, side_from(side), price_from(price),
                                             qty_from(qty), exec_ts, recv_ts))
