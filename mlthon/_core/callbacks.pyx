"""The callbacks of a strategy: their names, in a fixed order, and how its own are found."""

from mlthon.errors import StrategyLoadError

# The market data callbacks come first: callbacks.pxd names their positions.
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

cdef enum:
    NOT_PLAIN = 0x20 | 0x80 | 0x200   # of code: generators, coroutines, asynchronous generators

assert len(CALLBACKS) == NUM_CALLBACKS


def bound_callback(strategy, str name):
    """The strategy's own method of that name, or None where it only has the interface's empty one.

    An interface marks its methods abstract; an override does not. Raises StrategyLoadError for a coroutine or a
    generator: it would be called, and do nothing.
    """
    method = getattr(strategy, name, None)
    if not callable(method) or getattr(method, "__isabstractmethod__", False):
        return None
    code = getattr(method, "__code__", None)
    if code is not None and code.co_flags & NOT_PLAIN:
        raise StrategyLoadError(f"{type(strategy).__name__}.{name}: expected a plain function, not async or yield")
    return method
