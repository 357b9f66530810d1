"""Order requests: identity, exact numbers, rules, and refusals that come back as callbacks."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import TIF, Exchange, GtwRejectCode, GtwStatus, OrderStatus, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import RequestKind

BYBIT = Exchange.Bybit


def refusal(recorder, callback="on_new_order_reject"):
    return recorder.last(callback)[-2:]


@pytest.mark.parametrize("price", ["100", Price("100"), Decimal("100.0"), 100])
@pytest.mark.parametrize("qty", ["10", Qty("10"), Decimal(10), 10])
def test_numbers_may_be_given_in_any_exact_form(bench, price, qty):
    bench.order(price=price, qty=qty)
    request = bench.gateway.last_new()
    assert (request.price, request.qty) == (Price("100"), Qty("10"))


@pytest.mark.parametrize("name", ["price", "qty"])
def test_floats_raise_and_name_the_remedy(bench, name):
    with pytest.raises(TypeError, match=rf"{name}.*from_float"):
        bench.order(**{name: 1.5})


@pytest.mark.parametrize("ref", ["byt:perp:BTC-USDT", "BTC-USDT", "btc-usdt", "BTCUSDT"])
def test_instruments_may_be_named_or_numbered(bench, ref):
    bench.order("a1", instrument_id=ref)
    bench.order("a2", instrument_id=bench.instruments[0].get_instrument_id())
    assert len(bench.gateway.asked) == 2


def test_a_bare_symbol_that_fits_several_lists_them(make_bench, make_recorder):
    from mlthon.instruments.spot import Spot

    recorder = make_recorder()
    bench = make_bench(recorder)
    spot = Spot(
        instrument_id=31, exchange=BYBIT, exch_instr_id="BTCUSDT", mlt_symbol="BTC-USDT",
        instrument_name="byt:spot:BTC-USDT",
    )  # fmt: skip
    bench.table.add(spot)
    bench.start()
    bench.order(instrument_id="BTC-USDT")
    code, reason = refusal(recorder)
    assert code is GtwRejectCode.UnknownInstrument
    assert "byt:perp:BTC-USDT, byt:spot:BTC-USDT" in reason


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"price": "100.05"}, GtwRejectCode.InvalidPrice, "nearest is 100.0"),
        ({"price": "-1"}, GtwRejectCode.InvalidPrice, "not above 0"),
        ({"price": "12x"}, GtwRejectCode.InvalidPrice, "12x"),
        ({"price": "1e30"}, GtwRejectCode.InvalidPrice, "1e30"),
        ({"qty": "0"}, GtwRejectCode.InvalidQty, "not above 0"),
        ({"qty": "0.0015"}, GtwRejectCode.InvalidQty, "lot"),
        ({"qty": "0.001", "price": "100"}, GtwRejectCode.InvalidNotional, "minimum notional"),
        ({"instrument_id": "NOPE"}, GtwRejectCode.UnknownInstrument, "byt:perp:BTC-USDT"),
        ({"instrument_id": 7}, GtwRejectCode.UnknownInstrument, "7"),
        ({"exchange": Exchange.Blockchain}, GtwRejectCode.GtwNotReady, "no connection to Blockchain"),
    ],
)
def test_what_cannot_be_served_is_rejected(bench, recorder, changes, code, text):
    bench.order("a1", **changes)
    assert refusal(recorder)[0] is code
    assert text in refusal(recorder)[1]
    assert bench.gateway.asked == []


@pytest.mark.parametrize(
    "changes",
    [
        {"exchange": "Bybit"},
        {"side": "Buy"},
        {"side": None},
        {"qty": None},
        {"price": None},
        {"price": True},
        {"ord_type": 1},
        {"time_in_force": "GTC"},
        {"exec_instr": "PostOnly"},
        {"instrument_id": 1.5},
        {"close_position": 1},
    ],
)
def test_wrong_types_raise_at_the_call(bench, changes):
    with pytest.raises(TypeError):
        bench.order("a1", **changes)
    assert bench.gateway.asked == []


def test_client_ids_are_the_strategys_and_wire_ids_the_environments(bench, recorder):
    assert bench.order("abc12") == 12
    assert bench.order(34) == 34
    wire_ids = [asked.wire_id for asked in bench.gateway.asked]
    assert len(set(wire_ids)) == 2
    assert all(len(wire_id) <= 20 and wire_id.isalnum() for wire_id in wire_ids)
    bench.gateway.report(bench.gateway.last_new(), OrderStatus.New)
    assert recorder.last("on_new_order_ack")[2] == "34"


def test_without_a_client_id_the_environment_makes_an_unused_one(bench, recorder):
    bench.order("2")
    number = bench.order(None)
    bench.gateway.report(bench.gateway.last_new(), OrderStatus.New)
    assert recorder.last("on_new_order_ack")[2] == str(number)
    assert number != 2


def test_a_used_client_id_is_refused(bench, recorder):
    bench.order("a1")
    bench.order("a1")
    assert refusal(recorder)[0] is GtwRejectCode.DuplicateClientId


def test_a_gateway_that_is_not_ready_refuses(bench, recorder):
    bench.gateway.status = GtwStatus.Connecting
    bench.order("a1")
    bench.env.fetch_wallet_info(BYBIT, "USDT")
    bench.env.dispatcher.deliver_waiting()
    assert refusal(recorder)[0] is GtwRejectCode.GtwNotReady
    assert recorder.last("on_request_reject")[4] == "WalletInfo"


def test_instruments_that_were_not_asked_for_are_refused(make_bench, make_recorder):
    recorder = make_recorder()
    bench = make_bench(recorder, ("BTC-USDT", "ETH-USDT"))
    bench.env.request_execution_connection(BYBIT, ["ETH-USDT"])
    bench.start()
    bench.order("a1")
    assert refusal(recorder)[0] is GtwRejectCode.GtwNotReady
    bench.order("a2", instrument_id="ETH-USDT")
    assert len(bench.gateway.asked) == 1


def test_market_orders_need_no_price_and_default_to_ioc(bench):
    bench.order(price=None, ord_type=OrderType.Market, time_in_force=TIF.Unset)
    request = bench.gateway.last_new()
    assert (request.price, request.tif) == (None, TIF.IOC)


def test_cancels_and_modifies_are_checked_against_the_order(bench, recorder):
    bench.env.send_cancel_order(BYBIT, "BTC-USDT", "nobody")
    bench.env.send_modify_order(BYBIT, "nobody", "1", None)
    bench.env.dispatcher.deliver_waiting()
    assert refusal(recorder, "on_cancel_order_reject")[0] is GtwRejectCode.UnknownOrder
    assert refusal(recorder, "on_modify_order_reject")[0] is GtwRejectCode.UnknownOrder
    bench.order("a1")
    request = bench.gateway.last_new()
    bench.gateway.report(request, OrderStatus.New)
    bench.gateway.fill(request, "e1", "4")
    bench.env.send_modify_order(BYBIT, "a1", None, "4")
    bench.env.dispatcher.deliver_waiting()
    assert refusal(recorder, "on_modify_order_reject")[0] is GtwRejectCode.InvalidQty
    bench.env.send_cancel_order(BYBIT, "BTC-USDT", "a1")
    bench.env.send_cancel_order(BYBIT, "BTC-USDT", "a1")
    bench.env.send_modify_order(BYBIT, "a1", "99", None)
    bench.env.dispatcher.deliver_waiting()
    assert refusal(recorder, "on_cancel_order_reject")[0] is GtwRejectCode.RequestPending
    assert refusal(recorder, "on_modify_order_reject")[0] is GtwRejectCode.RequestPending
    bench.gateway.fill(request, "e2", "6")
    bench.env.send_cancel_order(BYBIT, "BTC-USDT", "a1")
    bench.env.dispatcher.deliver_waiting()
    assert refusal(recorder, "on_cancel_order_reject")[0] is GtwRejectCode.TooLate


def test_a_modify_to_a_price_of_zero_is_refused_not_sent(bench, recorder):
    bench.order("a1")
    bench.gateway.report(bench.gateway.last_new(), OrderStatus.New)
    bench.env.send_modify_order(BYBIT, "a1", "0", None)
    bench.env.dispatcher.deliver_waiting()
    assert refusal(recorder, "on_modify_order_reject")[0] is GtwRejectCode.InvalidPrice
    assert len(bench.gateway.asked) == 1


def test_cancel_all_is_answered_and_makes_its_ends_solicited(bench, recorder):
    bench.order("a1")
    request = bench.gateway.last_new()
    bench.gateway.report(request, OrderStatus.New)
    bench.env.send_cancel_all(BYBIT, "BTC-USDT")
    bench.gateway.listener.on_cancel_all_accepted(bench.instruments[0])
    bench.gateway.listener.on_cancel_all_accepted(bench.instruments[0])
    bench.gateway.report(request, OrderStatus.Cancelled)
    assert recorder.names().count("on_cancel_all_ack") == 1
    assert recorder.last("on_order_cancelled")[3] is False


def test_questions_reach_the_gateway_and_pushes_are_told_on_change(bench, recorder):
    instrument = bench.instruments[0]
    bench.env.fetch_position_info(BYBIT, "BTC-USDT")
    assert bench.gateway.asked == [("position", instrument)]
    listener = bench.gateway.listener
    for _ in range(3):
        listener.on_position(instrument, Qty("2"))
    listener.on_position(instrument, Qty("-1"))
    assert [seen[3] for seen in recorder.seen] == [Qty("2"), Qty("-1")]
    bench.env.fetch_position_info(BYBIT, "BTC-USDT")
    listener.on_position(instrument, Qty("-1"))
    assert [seen[3] for seen in recorder.seen] == [Qty("2"), Qty("-1"), Qty("-1")]


def test_refused_questions_are_request_rejects(bench, recorder):
    bench.gateway.listener.on_query_refused(RequestKind.OrdersInfo, GtwRejectCode.RateLimited, "slow down")
    assert recorder.last("on_request_reject")[1:] == (
        BYBIT,
        GtwRejectCode.RateLimited,
        "slow down",
        "OrdersInfo",
    )


def test_older_call_shapes_work(bench):
    number = bench.env.send_new_order(
        client_id="old7", side=Side.Sell, price=Price("100"), qty=Qty("1"), exec_instr=None,
        exchange=BYBIT, symbol="BTC-USDT", ord_type=OrderType.Limit, time_in_force=TIF.GTC,
    )  # fmt: skip
    assert number == 7
    assert bench.gateway.last_new().side is Side.Sell


def test_a_request_that_cannot_be_handed_over_leaves_no_order_behind(bench):
    def broken(_request):
        raise ConnectionError("no loop")

    bench.gateway.send_new = broken
    with pytest.raises(ConnectionError):
        bench.order("a1")
    assert bench.env.desks[BYBIT].open_orders() == []
    assert bench.env.desks[BYBIT].order("a1") is None


def test_calls_from_another_thread_are_refused_before_anything_happens(bench):
    errors = []

    def call():
        try:
            bench.order("a1")
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert "another thread" in errors[0]
    assert bench.gateway.asked == []


def test_wrong_types_raise_whatever_else_is_wrong(bench):
    bench.gateway.status = GtwStatus.Connecting
    with pytest.raises(TypeError):
        bench.order("a1", instrument_id="NOPE", price=1.5)
    with pytest.raises(TypeError):
        bench.env.send_modify_order(BYBIT, "nobody", 1.5, None)
    with pytest.raises(TypeError):
        bench.env.fetch_order_status(BYBIT, "BTC-USDT", ["x"])
    with pytest.raises(ValueError, match="client id"):
        bench.order("9" * 5000)


def test_refused_connections_are_not_replaced_by_defaults(make_bench, make_recorder):
    recorder = make_recorder()
    bench = make_bench(recorder)
    bench.env.subscribe_to_market_data(BYBIT, ["ETH-USDT"], [MDSub.BBO])
    bench.env.request_execution_connection(BYBIT, ["ETH-USDT"])
    bench.start()
    bench.order("a1")
    assert bench.feed.subscribed == []
    assert refusal(recorder)[0] is GtwRejectCode.GtwNotReady
    kinds = [seen[4] for seen in recorder.seen if seen[0] == "on_request_reject"]
    assert kinds == ["MarketData", "ExecutionConnection"]


@pytest.mark.parametrize("instruments", [5, None, "BTC-USDT"])
def test_lists_are_lists(bench, instruments):
    with pytest.raises(TypeError, match="instruments: expected a list"):
        bench.env.subscribe_to_market_data(BYBIT, instruments, [MDSub.BBO])
    with pytest.raises(TypeError, match="md_subs: expected a list"):
        bench.env.subscribe_to_market_data(BYBIT, [], MDSub.BBO)


def test_nothing_is_connected_after_the_stop_ack(bench, recorder):
    before = list(bench.feed.subscribed)
    bench.env.session.stop()
    bench.env.send_stop_ack()
    bench.env.subscribe_to_market_data(BYBIT, ["BTC-USDT"], [MDSub.BBO])
    bench.env.dispatcher.deliver_waiting()
    assert bench.feed.subscribed == before
    assert recorder.last("on_request_reject")[2] is GtwRejectCode.GtwNotReady
