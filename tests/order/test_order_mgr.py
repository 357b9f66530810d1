"""OrderMgr, one rule a test. Races and random histories have files of their own."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mlthon.basics.defs import TIF, ExecInstructions, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.order import Order
from mlthon.order.order_mgr import OrderMgr

BTC, ETH = 30000000000, 30000000001


def new_order(mgr: OrderMgr, qty="10", instrument_id=BTC) -> Order:
    order = mgr.prepare_new_order(instrument_id, Side.Buy, Price("9226.5"), Qty(qty))
    assert order is not None
    return order


@pytest.fixture
def mgr() -> OrderMgr:
    return OrderMgr("t")


@pytest.fixture
def order(mgr) -> Order:
    """An acknowledged order over 10."""
    order = new_order(mgr)
    mgr.apply_new_order_ack("t1", "ex-1")
    return order


# -- orders as they are made -----------------------------------------------------------------------------------


def test_an_order_has_the_published_accessors_and_no_others():
    names = {name for name in dir(Order) if not name.startswith("_")}
    assert names == {
        "get_attachment",
        "get_client_id",
        "get_exchange_id",
        "get_exec_instructions",
        "get_instrument_id",
        "get_leaves_qty",
        "get_leaves_qty_after_modify_prep",
        "get_pending_price",
        "get_pending_qty",
        "get_price",
        "get_side",
        "get_tif",
        "get_type",
        "has_any_pending_request",
        "is_cancel_pending",
        "is_cancelled",
        "is_modify_pending",
        "is_new_pending",
        "is_open",
    }


def test_a_new_order_holds_what_was_asked_for(mgr):
    attachment = object()
    order = mgr.prepare_new_order(
        BTC, Side.Sell, "9227", Decimal(3), ExecInstructions.PostOnly, OrderType.Limit, TIF.IOC, attachment
    )
    assert (order.get_client_id(), order.get_exchange_id(), order.get_instrument_id()) == ("t1", "", BTC)
    assert (order.get_side(), order.get_price(), order.get_leaves_qty()) == (Side.Sell, Price(9227), Qty(3))
    assert (order.get_pending_price(), order.get_pending_qty()) == (Price(9227), Qty(3))
    assert order.get_exec_instructions() is ExecInstructions.PostOnly
    assert (order.get_type(), order.get_tif()) == (OrderType.Limit, TIF.IOC)
    assert order.get_attachment() is attachment
    assert order.is_open() and order.is_new_pending() and not order.is_cancelled()
    assert mgr.get_open_orders() == [order] and mgr.get_num_open_orders() == 1
    assert mgr.get_order_with_client_id("t1") is order


def test_the_older_keywords_work(mgr):
    order = mgr.prepare_new_order(
        symbol="BTC-USD",
        side=Side.Buy,
        price=Price("9226.5"),
        qty=Qty("2"),
        exec_instr=ExecInstructions.Unset,
        order_type=OrderType.Limit,
        tif=TIF.GTC,
        nullable_attachment=None,
    )
    assert order.get_instrument_id() == "BTC-USD"
    assert mgr.apply_new_order_ack(
        client_id="t1", exchange_id="ex", price=Price("9226.5"), leaves_qty=order.get_pending_qty()
    )
    assert mgr.prepare_cancel_order(client_id="t1")
    assert mgr.apply_cancel_order_ack(client_id="t1")
    assert mgr.apply_cancel_order_reject(client_id="t1")
    assert mgr.apply_order_execution(client_id="t1", fill_qty=Qty("2"), nullable_leaves_qty=None) is True


def test_a_market_order_has_no_price(mgr):
    order = mgr.prepare_new_order(BTC, Side.Buy, None, "1", order_type=OrderType.Market, tif=TIF.IOC)
    mgr.apply_new_order_ack("t1", "ex-1", Price(0))
    assert order.get_price() is None and order.get_pending_price() is None
    assert "@ market" in str(order)


def test_client_ids_count_on_from_one_past_ids_that_are_taken(mgr):
    existing = mgr.add_open_order(
        "t2", "ex-2", BTC, Side.Buy, "100", "1", OrderType.Limit, TIF.GTC, ExecInstructions.Unset, "mine"
    )
    assert existing.get_attachment() == "mine" and not existing.has_any_pending_request()
    assert [new_order(mgr).get_client_id() for _ in range(2)] == ["t1", "t3"]
    assert OrderMgr("t").prepare_new_order(BTC, Side.Buy, 1, 1).get_client_id() == "t1"


def test_an_order_is_added_once(mgr):
    new_order(mgr)
    arguments = ("t1", "ex", BTC, Side.Buy, "1", "1", OrderType.Limit, TIF.GTC, ExecInstructions.Unset)
    assert mgr.add_open_order(*arguments) is None
    assert mgr.get_order_with_client_id("t1").is_new_pending()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"instrument_id": None}, TypeError, "instrument_id: expected an int or a symbol as str, got None"),
        ({"instrument_id": True}, TypeError, "instrument_id: .* got True"),
        ({"symbol": "BTC-USD"}, TypeError, "not both"),
        ({"side": "Buy"}, TypeError, r"side: expected Side\.\*, got 'Buy'"),
        ({"side": None}, TypeError, r"side: expected Side\.\*, got None"),
        ({"price": None}, TypeError, "price: .* for a Limit order, got None"),
        ({"price": 9226.5}, TypeError, "from_float"),
        ({"qty": None}, TypeError, "qty: .* got None"),
        ({"qty": 1.0}, TypeError, "from_float"),
        ({"qty": "0"}, ValueError, r"qty: expected more than zero, got 0\.0"),
        ({"qty": "-1"}, ValueError, "qty: expected more than zero, got -1"),
        ({"exec_instr": TIF.GTC}, TypeError, r"exec_instr: expected ExecInstructions\.\*, got"),
        ({"order_type": "Limit"}, TypeError, r"order_type: expected OrderType\.\*, got 'Limit'"),
        ({"tif": None}, TypeError, r"tif: expected TIF\.\*, got None"),
    ],
)
def test_a_wrong_argument_is_named_and_registers_nothing(mgr, change, error, message):
    arguments = {"instrument_id": BTC, "side": Side.Buy, "price": "1", "qty": "1", **change}
    with pytest.raises(error, match=message):
        mgr.prepare_new_order(**arguments)
    assert mgr.get_num_open_orders() == 0
    assert new_order(mgr).get_client_id() == "t1"


def test_the_prefix_is_text():
    with pytest.raises(TypeError, match="client_id_prefix: expected a str, got 7"):
        OrderMgr(7)


# -- what may be sent ------------------------------------------------------------------------------------------


def test_one_cancel_at_a_time(mgr, order):
    assert mgr.prepare_cancel_order("t1")
    assert not mgr.prepare_cancel_order("t1")
    mgr.apply_cancel_order_ack("t1")  # says that it was taken, not that it is done
    assert order.is_cancel_pending() and not mgr.prepare_cancel_order("t1")
    mgr.apply_cancel_order_reject("t1")
    assert not order.is_cancel_pending() and mgr.prepare_cancel_order("t1")


def test_an_order_may_be_cancelled_before_its_ack_and_during_a_modify(mgr):
    new_order(mgr)
    assert mgr.prepare_cancel_order("t1")
    mgr.apply_new_order_ack("t1")
    mgr.apply_cancel_order_reject("t1")
    assert mgr.prepare_modify_order("t1", new_qty="5") and mgr.prepare_cancel_order("t1")


@pytest.mark.parametrize("pending", ["new", "modify", "cancel", "cancel_all", "cancel_all_of_all"])
def test_no_modify_while_anything_is_pending(mgr, pending):
    new_order(mgr)
    if pending != "new":
        mgr.apply_new_order_ack("t1")
    prepare = {
        "new": lambda: True,
        "modify": lambda: mgr.prepare_modify_order("t1", new_price="9000"),
        "cancel": lambda: mgr.prepare_cancel_order("t1"),
        "cancel_all": lambda: mgr.prepare_cancel_all(BTC),
        "cancel_all_of_all": mgr.prepare_cancel_all,
    }
    assert prepare[pending]()
    assert mgr.prepare_modify_order("t1", new_qty="5") is False


def test_no_modify_to_a_quantity_that_is_filled(mgr, order):
    mgr.apply_order_execution("t1", Qty(4), Qty(6))
    assert not mgr.prepare_modify_order("t1", new_qty="4")
    assert mgr.prepare_modify_order("t1", new_qty="5")


def test_a_modify_changes_something(mgr, order):
    with pytest.raises(ValueError, match="new_price or new_qty"):
        mgr.prepare_modify_order("t1")
    with pytest.raises(ValueError, match="new_qty: expected more than zero"):
        mgr.prepare_modify_order("t1", new_qty="0")
    assert not order.is_modify_pending()


def test_no_new_order_while_a_cancel_all_of_its_instrument_is_pending(mgr):
    assert mgr.prepare_cancel_all(BTC)
    assert not mgr.prepare_cancel_all(BTC)
    assert mgr.prepare_new_order(BTC, Side.Buy, 1, 1) is None
    assert mgr.prepare_new_order(ETH, Side.Buy, 1, 1) is not None
    assert not mgr.apply_cancel_all_ack(ETH)
    assert mgr.apply_cancel_all_reject(BTC)
    assert mgr.prepare_new_order(BTC, Side.Buy, 1, 1) is not None


def test_a_cancel_all_of_all_instruments_is_answered_by_any_of_them(mgr):
    assert mgr.prepare_cancel_all()
    assert not mgr.prepare_cancel_all(BTC)
    assert mgr.prepare_new_order(ETH, Side.Buy, 1, 1) is None
    assert mgr.apply_cancel_all_ack(BTC)
    assert mgr.prepare_new_order(ETH, Side.Buy, 1, 1) is not None


def test_a_cancel_all_by_symbol_is_answered_by_id(mgr):
    assert mgr.prepare_cancel_all("BTC-USD")
    assert mgr.apply_cancel_all_ack(BTC)
    assert not mgr.apply_cancel_all_ack(BTC)
    assert mgr.prepare_new_order(symbol="BTC-USD", side=Side.Buy, price=1, qty=1) is not None


def test_a_cancel_reject_without_an_id_is_a_cancel_alls(mgr):
    assert not mgr.apply_cancel_order_reject(None)
    mgr.prepare_cancel_all(BTC)
    mgr.prepare_cancel_all(ETH)
    assert mgr.apply_cancel_order_reject(None)
    assert mgr.prepare_cancel_all(BTC) and mgr.prepare_cancel_all(ETH)


# -- what became of it -----------------------------------------------------------------------------------------


def test_fills_up_to_the_end(mgr, order):
    assert mgr.apply_order_execution("t1", Qty(4), Qty(6)) is False
    assert order.get_leaves_qty() == Qty(6)
    assert mgr.apply_order_execution("t1", Qty(6), Qty(0)) is True
    assert not order.is_open() and not order.is_cancelled()
    assert mgr.get_open_orders() == []
    assert mgr.get_order_with_client_id("t1") is order


def test_an_ack_after_a_fill_keeps_the_fill(mgr):
    order = new_order(mgr)
    mgr.apply_order_execution("t1", Qty(4))
    assert order.is_new_pending()
    mgr.apply_new_order_ack("t1", "ex-1", Price("9226"), order.get_pending_qty())
    assert order.get_leaves_qty() == Qty(6)
    assert order.get_price() == Price("9226") and order.get_exchange_id() == "ex-1"


def test_an_ack_after_the_end_tells_the_exchange_id(mgr):
    order = new_order(mgr)
    assert mgr.apply_order_execution("t1", Qty(10)) is True
    assert mgr.apply_new_order_ack("t1", "ex-1", Price(1), Qty(10))
    assert not order.is_open() and not order.is_new_pending()
    assert order.get_exchange_id() == "ex-1" and order.get_price() == Price("9226.5")


def test_an_ack_with_fewer_leaves_counts_fills_before_they_are_told(mgr):
    order = new_order(mgr)
    mgr.apply_new_order_ack("t1", "ex-1", None, Qty(7))
    assert order.get_leaves_qty() == Qty(7)
    mgr.apply_order_execution("t1", Qty(3), Qty(7))
    assert order.get_leaves_qty() == Qty(7)


def test_an_ack_that_leaves_nothing_does_not_say_why(mgr):
    order = new_order(mgr)
    mgr.apply_new_order_ack("t1", "ex-1", None, Qty(0))
    assert order.is_open()
    mgr.apply_order_cancelled("t1")
    assert order.is_cancelled()


def test_a_repeated_ack_does_not_undo_a_modify(mgr, order):
    mgr.prepare_modify_order("t1", new_price="9000")
    mgr.apply_modify_order_ack("t1")
    mgr.apply_new_order_ack("t1", "ex-1", Price("9226.5"), Qty(10))
    assert order.get_price() == Price("9000")


def test_a_fill_told_twice_counts_once_where_leaves_are_told(mgr, order):
    for _ in range(2):
        assert mgr.apply_order_execution("t1", Qty(4), Qty(6)) is False
    assert order.get_leaves_qty() == Qty(6)


def test_fills_in_the_wrong_order(mgr, order):
    assert mgr.apply_order_execution("t1", Qty(3), Qty(3)) is False
    assert order.get_leaves_qty() == Qty(3)
    assert mgr.apply_order_execution("t1", Qty(4), Qty(6)) is False
    assert order.get_leaves_qty() == Qty(3)
    assert mgr.apply_order_execution("t1", Qty(3), Qty(0)) is True


def test_a_fill_of_more_than_was_ordered_ends_the_order(mgr, order):
    assert mgr.apply_order_execution("t1", Qty(11)) is True
    assert order.get_leaves_qty() == Qty(0)


def test_a_fill_after_the_cancellation_opens_nothing(mgr, order):
    mgr.apply_order_cancelled("t1")
    assert mgr.apply_order_execution("t1", Qty(4), Qty(6)) is False
    assert order.is_cancelled() and order.get_leaves_qty() == Qty(0)
    assert mgr.apply_order_execution("t1", Qty(6), Qty(0)) is True
    assert order.is_cancelled() and mgr.get_num_open_orders() == 0


def test_a_reject_ends_an_order_that_nothing_else_is_known_of(mgr):
    order = new_order(mgr)
    mgr.apply_new_order_reject("t1")
    assert not order.is_open() and not order.is_cancelled() and not order.is_new_pending()


@pytest.mark.parametrize("sign_of_life", ["ack", "fill"])
def test_a_reject_of_an_order_that_lives_is_not_believed(mgr, sign_of_life):
    order = new_order(mgr)
    if sign_of_life == "ack":
        mgr.apply_new_order_ack("t1")
    else:
        mgr.apply_order_execution("t1", Qty(4), Qty(6))
    mgr.apply_new_order_reject("t1")
    assert order.is_open() and not order.is_new_pending()


def test_a_modify_and_a_fill_in_either_order(mgr):
    for number, fill_first in (("t1", True), ("t2", False)):
        order = new_order(mgr)
        mgr.apply_new_order_ack(number)
        mgr.prepare_modify_order(number, "9300", "15")
        assert (order.get_pending_price(), order.get_pending_qty()) == (Price(9300), Qty(15))
        assert order.get_price() == Price("9226.5")
        if fill_first:
            mgr.apply_order_execution(number, Qty(4), Qty(6))
            assert order.get_leaves_qty_after_modify_prep() == Qty(11)
        mgr.apply_modify_order_ack(number, leaves_qty=Qty(11) if fill_first else None)
        if not fill_first:
            mgr.apply_order_execution(number, Qty(4), Qty(6))  # made before the modify
        assert order.get_leaves_qty() == Qty(11)
        assert order.get_price() == Price(9300)
        assert (order.get_pending_price(), order.get_pending_qty()) == (None, None)


@pytest.mark.parametrize("answer", ["ack", "reject"])
def test_an_order_that_may_be_growing_ends_with_the_modifys_answer(mgr, order, answer):
    mgr.prepare_modify_order("t1", new_qty="15")
    assert mgr.apply_order_execution("t1", Qty(10), Qty(0)) is False
    assert order.is_open() and order.get_leaves_qty_after_modify_prep() == Qty(5)
    if answer == "ack":
        mgr.apply_modify_order_ack("t1", Qty(5))
        assert order.get_leaves_qty() == Qty(5)
        assert mgr.apply_order_execution("t1", Qty(5), Qty(0)) is True
    else:
        mgr.apply_modify_order_reject("t1")
    assert not order.is_open() and not order.is_cancelled()


def test_an_order_that_shrinks_to_what_is_filled_ends(mgr, order):
    mgr.prepare_modify_order("t1", new_qty="4")
    mgr.apply_order_execution("t1", Qty(4), Qty(6))
    assert order.is_open()
    mgr.apply_modify_order_ack("t1", Qty(0))
    assert not order.is_open() and not order.is_cancelled()


def test_the_venues_values_of_a_modify_stand(mgr, order):
    mgr.prepare_modify_order("t1", "9300", "15")
    mgr.apply_modify_order_ack("t1", new_price=Price(9299), new_qty=Qty(12))
    assert order.get_price() == Price(9299) and order.get_leaves_qty() == Qty(12)


def test_a_modify_answer_that_nothing_awaits_changes_nothing(mgr, order):
    mgr.apply_modify_order_ack("t1", Qty(1), new_price=Price(1), new_qty=Qty(1))
    mgr.apply_modify_order_reject("t1")
    assert order.get_price() == Price("9226.5") and order.get_leaves_qty() == Qty(10)


def test_unknown_orders_are_no_error(mgr):
    assert mgr.get_order_with_client_id("x") is None
    assert mgr.prepare_modify_order("x", new_qty=1) is False
    assert mgr.prepare_cancel_order("x") is False
    assert mgr.apply_order_execution("x", Qty(1), Qty(0)) is None
    for method in (
        mgr.apply_new_order_ack,
        mgr.apply_new_order_reject,
        mgr.apply_modify_order_ack,
        mgr.apply_modify_order_reject,
        mgr.apply_cancel_order_ack,
        mgr.apply_cancel_order_reject,
        mgr.apply_order_cancelled,
    ):
        assert method("x") is False


@pytest.mark.parametrize(
    ("fill_qty", "leaves_qty", "error"),
    [("0", None, ValueError), ("-1", None, ValueError), ("1", "-1", ValueError), (1.5, None, TypeError)],
)
def test_impossible_fills_are_refused(mgr, order, fill_qty, leaves_qty, error):
    with pytest.raises(error):
        mgr.apply_order_execution("t1", fill_qty, leaves_qty)
    assert order.get_leaves_qty() == Qty(10)


def test_ended_orders_are_forgotten_oldest_first(mgr):
    for number in range(1, 10_003):
        new_order(mgr)
        mgr.apply_order_cancelled(f"t{number}")
    known = [number for number in range(1, 10_003) if mgr.get_order_with_client_id(f"t{number}") is not None]
    assert known == list(range(3, 10_003))
    assert mgr.apply_order_execution("t1", Qty(1)) is None
    assert new_order(mgr).get_client_id() == "t10003"


def test_orders_say_what_they_are(mgr):
    order = new_order(mgr, "2")
    mgr.prepare_cancel_order("t1")
    where = "t1 Buy 2.00000000 @ 9226.50000000 of 30000000000"
    assert str(order) == f"{where}, leaves 2.00000000, new and cancel pending"
    mgr.apply_new_order_ack("t1")
    mgr.apply_cancel_order_reject("t1")
    assert str(order) == f"{where}, leaves 2.00000000, open"
    mgr.apply_order_cancelled("t1")
    assert repr(order) == f"<Order {where}, leaves 0.00000000, cancelled>"
