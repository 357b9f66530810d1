"""Every published name, parameter and order, compared with a table written from the published reference."""

from __future__ import annotations

import inspect
import typing

import pytest

from mlthon.api.istrat_env import IStratEnv, MDSub
from mlthon.api.istrategy import IStrategy
from mlthon.basics.mlt_enum import MltEnum

ENV = {
    "add_cmd_hook": "cmd_name_str, callback_func",
    "fetch_account_info": "exchange",
    "fetch_funding_info": "exchange, instrument_id",
    "fetch_order_status": "exchange, instrument_id, client_ord_id",
    "fetch_orders_info": "exchange, instrument_id=None",
    "fetch_position_info": "exchange, instrument_id",
    "fetch_wallet_info": "exchange, coin",
    "login": "strat_name",
    "publish_telegram": "msg",
    "send_cancel_all": "exchange, instrument_id",
    "send_cancel_order": "exchange, instrument_id, client_ord_id",
    "send_modify_order": "exchange, client_ord_id, new_price, new_qty",
    "send_new_order": (
        "client_id, exchange, instrument_id, side, price, qty, exec_instr, ord_type, time_in_force,"
        " close_position"
    ),
    "send_stop_ack": "",
    "setup_daily_callback": "hh_mm_ss, callback_func",
    "setup_timer": "duration_ms, callback_func",
}
ENV_OF_THE_OLDER_GENERATION = {
    "subscribe_to_market_data": "exchange, instruments, md_subs",
    "request_execution_connection": "exchange, instruments",
}
ADDED_PROPERTIES = {"last_in_batch"}

ABSTRACT_CALLBACKS = {
    "on_account_info": "exchange, user_id",
    "on_add_level": "exchange, instrument_id, side, level_id, price, qty, recv_ts",
    "on_add_price_level": "exchange, instrument_id, side, price, qty, recv_ts",
    "on_best_ask_level_update": "exchange, instrument_id, price, qty, recv_ts",
    "on_best_bid_level_update": "exchange, instrument_id, price, qty, recv_ts",
    "on_cancel_all_ack": "exchange, instrument_id",
    "on_cancel_all_reject": "exchange, instrument_id, reject_code, reject_reason",
    "on_cancel_order_ack": "exchange, client_id",
    "on_cancel_order_reject": "exchange, nullable_client_id, reject_code, reject_reason",
    "on_delete_level": "exchange, instrument_id, side, level_id, recv_ts",
    "on_delete_price_level": "exchange, instrument_id, side, price, recv_ts",
    "on_feed_handler_status": "exchange, status, detail",
    "on_framework_connected": "env",
    "on_framework_disconnected": "",
    "on_funding_info": "exchange, instrument_id, funding_rate, next_funding_ts",
    "on_gateway_status": "exchange, status, detail",
    "on_modify_level": "exchange, instrument_id, side, level_id, new_qty, recv_ts",
    "on_modify_order_ack": "exchange, client_id, new_price, new_qty, leaves_qty",
    "on_modify_order_reject": "exchange, client_id, reject_code, reject_reason",
    "on_modify_price_level": "exchange, instrument_id, side, price, new_qty, recv_ts",
    "on_new_order_ack": (
        "exchange, client_id, exchange_id, instrument_id, side, price, qty, leaves_qty, order_type,"
        " tif, exec_instr"
    ),
    "on_new_order_reject": "exchange, client_id, reject_code, reject_reason",
    "on_order_cancelled": (
        "exchange, client_id, unsolicited, engine_ts, recv_ts, cancel_code, cancel_reason"
    ),
    "on_order_execution": "exchange, client_id, side, price, fill_qty, leaves_qty, exec_ts, recv_ts",
    "on_order_status": (
        "exchange, instrument_id, client_ord_id, exch_ord_id, side, price, leaves_qty, status, order_type,"
        " tif, exec_instr"
    ),
    "on_orders_info": "exchange, orders",
    "on_position_info": "exchange, instrument_id, position",
    "on_public_trade": "exchange, instrument_id, side, price, qty, exec_ts, recv_ts",
    "on_rate_limit_info": "exchange, rate_limit, rate_remaining, reset_ts",
    "on_request_reject": "exchange, reject_code, detail, rejected_rqst_type",
    "on_start": "params",
    "on_stop": "params",
    "on_unsupported_op": "exchange, unsupported_msg_type",
    "on_wallet_info": "exchange, coin, total_balance, available_balance",
}
OPTIONAL_CALLBACKS = {
    "on_instruments": "instruments",
    "on_strat_params_update": "strat_params",
}
CALLBACKS = ABSTRACT_CALLBACKS | OPTIONAL_CALLBACKS


def parameters(function: object) -> str:
    """The parameters of a method as the table writes them, without self and without types."""
    shown = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        shown.append(parameter.name + default)
    return ", ".join(shown)


def public_methods(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}


def test_the_table_is_whole():
    assert len(ENV) == 16
    assert len(CALLBACKS) == 36


@pytest.mark.parametrize("name", ENV | ENV_OF_THE_OLDER_GENERATION)
def test_env_signature(name):
    assert parameters(getattr(IStratEnv, name)) == (ENV | ENV_OF_THE_OLDER_GENERATION)[name]


@pytest.mark.parametrize("name", CALLBACKS)
def test_callback_signature(name):
    assert parameters(getattr(IStrategy, name)) == CALLBACKS[name]


def test_nothing_else_is_published():
    assert public_methods(IStratEnv) == set(ENV | ENV_OF_THE_OLDER_GENERATION) | ADDED_PROPERTIES
    assert public_methods(IStrategy) == set(CALLBACKS)


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks_are_marked_abstract_as_published(name):
    marked = getattr(getattr(IStrategy, name), "__isabstractmethod__", False)
    assert marked is (name in ABSTRACT_CALLBACKS)


def test_a_strategy_without_any_callback_can_be_made_and_called():
    class Empty(IStrategy):
        pass

    assert type(IStrategy) is type
    for name, signature in CALLBACKS.items():
        count = len(signature.split(", ")) if signature else 0
        assert getattr(Empty(), name)(*[None] * count) is None


@pytest.mark.parametrize("cls", [IStratEnv, IStrategy])
def test_everything_is_annotated_and_documented(cls):
    for name in public_methods(cls):
        method = getattr(cls, name)
        if isinstance(method, property):
            method = method.fget
        hints = typing.get_type_hints(method)
        assert hints.keys() == {*list(inspect.signature(method).parameters)[1:], "return"}, name
        assert inspect.getdoc(method), name


@pytest.mark.parametrize("name", ENV | ENV_OF_THE_OLDER_GENERATION)
def test_an_environment_that_lacks_a_method_says_so(name):
    """A partial environment must not look as if it had sent something."""
    signature = (ENV | ENV_OF_THE_OLDER_GENERATION)[name]
    with pytest.raises(NotImplementedError):
        getattr(IStratEnv(), name)(*[None] * len(signature.split(", ") if signature else []))


@pytest.mark.parametrize("name", ADDED_PROPERTIES)
def test_an_environment_that_lacks_a_property_says_so(name):
    with pytest.raises(NotImplementedError):
        getattr(IStratEnv(), name)


def test_mdsub_values_are_the_published_ones():
    assert {member.name: member.value for member in MDSub} == {
        "OrderBook": (0,),
        "LevelBook": (1,),
        "PriceLevelBook": (2,),
        "BBO": (3,),
        "PublicTrades": 4,
    }
    assert issubclass(MDSub, MltEnum)
    assert MDSub((3,)) is MDSub.BBO
    assert MDSub(4) is MDSub.PublicTrades
