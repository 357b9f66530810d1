"""Orders in a backtest: fills, queue, and what passes each other on the way."""

from __future__ import annotations

import pytest
from scripted import LINEAR, MS_NS, START_NS, Scripted, Tape, amend, book, cancel, order, trade

from mlthon._core.order_change import RateUpdate
from mlthon.backtest.backtest import Backtest, Settings
from mlthon.backtest.latency import Latency
from mlthon.basics.defs import TIF, CancelCode, GtwRejectCode, Side
from mlthon.basics.qty import Qty
from mlthon.engine.ports import OrderEvent

STORY = (
    "on_new_order_ack",
    "on_new_order_reject",
    "on_modify_order_ack",
    "on_modify_order_reject",
    "on_cancel_order_ack",
    "on_cancel_order_reject",
    "on_order_execution",
    "on_order_cancelled",
)


def run(tape: Tape, *acts, latency: Latency | None = None) -> tuple[Scripted, Backtest]:
    strategy = Scripted(*acts)
    backtest = Backtest([tape], strategy, settings=Settings(latency=latency))
    backtest.run()
    backtest.check_ledgers()
    return strategy, backtest


def test_an_order_filled_three_then_seven_is_a_position_of_ten_and_one_closed_order():
    tape = Tape(
        book(0, [("100.0", "5")], [("100.1", "3")], whole=True),
        book(200, [], [("100.1", "0"), ("100.2", "1")]),
        trade(400, Side.Sell, "100.1", "7"),
        book(500, [("100.0", "4")], []),
    )
    strategy, backtest = run(tape, (100, order("a1", Side.Buy, "100.1", "10")))
    assert strategy.names(*STORY) == ["on_new_order_ack", "on_order_execution", "on_order_execution"]
    fills = [args for name, args in strategy.told if name == "on_order_execution"]
    assert [(args[4], args[5]) for args in fills] == [(Qty("3"), Qty("7")), (Qty("7"), Qty("0"))]
    env = backtest.env
    assert env.portfolio.position(LINEAR).size == Qty("10")
    [desk] = env.desks.values()
    assert (desk.counts["filled"], desk.open_orders()) == (1, [])


def test_requests_take_their_time_and_so_do_answers():
    tape = Tape(book(0, [("100.0", "5")], [("100.1", "3")], whole=True), book(1000, [("99.9", "1")], []))
    _, backtest = run(
        tape, (100, order("a1", Side.Buy, "100.0", "1")), latency=Latency.constant_ms(1, 20, 30)
    )
    steps = backtest.trace.orders
    assert [ns - steps.ns[0] for ns in steps.ns][:2] == [0, 50_000_000]


def test_a_cancel_that_a_fill_overtakes_is_refused_and_the_fill_stands():
    tape = Tape(
        book(0, [("100.0", "5")], [("100.1", "3")], whole=True),
        trade(210, Side.Sell, "99.9", "50"),
        book(1000, [("99.9", "1")], []),
    )
    strategy, _ = run(
        tape,
        (100, order("a1", Side.Buy, "100.0", "1")),
        (205, cancel("a1")),
        latency=Latency.constant_ms(0, 20, 20),
    )
    assert strategy.names(*STORY) == ["on_new_order_ack", "on_order_execution", "on_cancel_order_reject"]
    assert strategy.last("on_cancel_order_reject")[2] is GtwRejectCode.TooLate


def test_an_order_that_is_sent_behind_a_cancel_all_is_there_before_it_and_ends_with_the_others():
    tape = Tape(book(0, [("100.0", "5")], [("100.1", "3")], whole=True), book(1000, [("99.9", "1")], []))

    def replace(env) -> None:
        env.send_cancel_all(LINEAR.get_exchange(), LINEAR.get_instrument_id())
        order("a2", Side.Buy, "100.0", "1")(env)
        order("a3", Side.Buy, "100.05", "1")(env)  # refused here, off the tick

    strategy, _ = run(tape, (100, order("a1", Side.Buy, "100.0", "1")), (300, replace))
    told = [(name, args[1]) for name, args in strategy.told if name in STORY]
    assert told == [
        ("on_new_order_ack", "a1"),
        ("on_new_order_reject", "a3"),
        ("on_new_order_ack", "a2"),
        ("on_order_cancelled", "a1"),
        ("on_order_cancelled", "a2"),
    ]


def test_an_amend_that_arrives_after_the_fill_is_refused():
    tape = Tape(
        book(0, [("100.0", "5")], [("100.1", "3")], whole=True),
        trade(210, Side.Sell, "99.9", "50"),
        book(1000, [("99.9", "1")], []),
    )
    strategy, _ = run(
        tape,
        (100, order("a1", Side.Buy, "100.0", "1")),
        (205, amend("a1", "100.1", None)),
        latency=Latency.constant_ms(0, 20, 20),
    )
    assert strategy.names(*STORY) == ["on_new_order_ack", "on_order_execution", "on_modify_order_reject"]
    assert strategy.last("on_modify_order_reject")[2] is GtwRejectCode.TooLate


def test_the_book_that_an_order_meets_is_that_of_its_arrival():
    tape = Tape(
        book(0, [("100.0", "5")], [("100.1", "3")], whole=True),
        book(105, [], [("100.1", "0"), ("100.2", "3")]),
        book(1000, [("99.9", "1")], []),
    )
    strategy, _ = run(
        tape,
        (100, order("a1", Side.Buy, "100.1", "1", tif=TIF.IOC)),
        latency=Latency.constant_ms(0, 20, 0),
    )
    assert strategy.names(*STORY) == ["on_new_order_ack", "on_order_cancelled"]
    assert strategy.last("on_order_cancelled")[2:][0] is True


def test_post_only_that_would_take_is_rejected_and_fok_ends_whole():
    tape = Tape(book(0, [("100.0", "5")], [("100.1", "3")], whole=True), book(1000, [("99.9", "1")], []))
    strategy, _ = run(
        tape,
        (100, order("a1", Side.Buy, "100.1", "1", post_only=True)),
        (200, order("a2", Side.Buy, "100.1", "4", tif=TIF.FOK)),
        (300, order("a3", Side.Buy, "100.0", "1", close=True)),
    )
    assert strategy.names(*STORY) == [
        "on_new_order_reject",
        "on_new_order_ack",
        "on_order_cancelled",
        "on_new_order_reject",
    ]
    rejects = [args[2] for name, args in strategy.told if name == "on_new_order_reject"]
    assert rejects == [GtwRejectCode.PostOnlyWouldCross, GtwRejectCode.ReduceOnlyRefused]


def test_what_was_taken_stays_taken_until_the_book_changes_there():
    tape = Tape(
        book(0, [("100.0", "5")], [("100.1", "3")], whole=True),
        book(500, [("99.9", "1")], []),
        book(900, [], [("100.1", "4")]),
        book(2000, [("99.8", "1")], []),
    )
    strategy, backtest = run(
        tape,
        (100, order("a1", Side.Buy, "100.1", "3", tif=TIF.IOC)),
        (600, order("a2", Side.Buy, "100.1", "3", tif=TIF.IOC)),
        (1000, order("a3", Side.Buy, "100.1", "3", tif=TIF.IOC)),
    )
    assert [args[1] for name, args in strategy.told if name == "on_order_execution"] == ["a1", "a3"]
    assert backtest.env.portfolio.position(LINEAR).size == Qty("6")


def test_orders_left_open_are_cancelled_and_told_unsolicited():
    tape = Tape(book(0, [("100.0", "5")], [("100.1", "3")], whole=True), book(1000, [("99.9", "1")], []))
    acts = [(100 + n, order(f"a{n}", Side.Buy, "99.0", "1")) for n in range(5)]
    strategy, backtest = run(tape, *acts)
    assert strategy.names("on_order_cancelled") == ["on_order_cancelled"] * 5
    assert strategy.last("on_order_cancelled")[2] is True
    assert strategy.last("on_order_cancelled")[5] is CancelCode.CanceledByUser
    assert backtest.left_open == []


def test_a_position_that_cannot_be_carried_is_taken_over_and_told():
    tape = Tape(
        book(0, [("60000.0", "5")], [("60000.1", "3")], whole=True),
        book(500, [("60000.0", "0"), ("53000.0", "5")], [("60000.1", "0"), ("53000.1", "3")]),
        book(2000, [("52999.0", "1")], []),
    )
    strategy = Scripted((100, order("a1", Side.Buy, "60000.1", "0.1")))
    backtest = Backtest([tape], strategy, settings=Settings(deposits={"USDT": Qty("700")}))
    result = backtest.run()
    backtest.check_ledgers()
    assert strategy.names("on_order_execution") == ["on_order_execution"]
    assert [args[2] for name, args in strategy.told if name == "on_position_info"][-2:] == [
        Qty("0.1"),
        Qty("0"),
    ]
    told = result.to_json()
    assert (told["liquidations"], told["position"]) == (1, 0.0)


def test_funding_is_paid_at_its_time_at_the_recorded_rate():
    eight_hours_ms = 8 * 3_600_000
    due_ms = eight_hours_ms - START_NS // MS_NS % eight_hours_ms
    tape = Tape(
        book(0, [("60000.0", "5")], [("60000.1", "3")], whole=True),
        book(due_ms + 5_000, [("59999.0", "1")], []),
    )
    strategy = Scripted((100, order("a1", Side.Buy, "60000.1", "1")))
    backtest = Backtest([tape], strategy)
    [connector] = backtest.connectors
    connector.sim.apply_rate("BTCUSDT", RateUpdate("funding", "0.001"))
    result = backtest.run()
    [books] = backtest.trace.books
    paid = [ns for ns, sum_ in zip(books.curve.ns, books.curve["funding"], strict=True) if sum_]
    assert paid[0] == START_NS + due_ms * MS_NS + 1_000 * MS_NS  # a sample shows what was before its time
    assert result.to_json()["pnl"]["funding"] == pytest.approx(-60.00005)


def test_what_a_resized_order_leaves_open_is_counted_from_its_new_quantity():
    tape = Tape(book(0, [("100.0", "5")], [("100.1", "3")], whole=True), book(900, [("99.9", "1")], []))
    strategy, _ = run(tape, (100, order("a1", Side.Buy, "100.0", "10")), (300, amend("a1", "100.1", "3")))
    assert strategy.names(*STORY) == ["on_new_order_ack", "on_modify_order_ack", "on_order_execution"]
    assert strategy.last("on_modify_order_ack")[4] == Qty("3")
    assert strategy.last("on_order_execution")[4:6] == (Qty("3"), Qty("0"))


def test_many_cancels_at_once_use_both_allowances_and_the_rest_waits():
    tape = Tape(book(0, [("100.0", "5")], [("100.1", "3")], whole=True), book(5000, [("99.9", "1")], []))
    news = [(100 + 110 * n, order(f"a{n}", Side.Buy, "99.0", "1")) for n in range(12)]
    asks = [(2600, lambda env: [cancel(f"a{n}")(env) for n in range(12)])]
    more = [(2500 + 10 * n, order(f"b{n}", Side.Buy, "99.0", "1")) for n in range(9)]
    asks.append((2900, lambda env: [cancel(f"b{n}")(env) for n in range(9)]))  # only eight find room
    strategy, backtest = run(tape, *news, *more, *asks)
    assert strategy.names("on_cancel_order_reject", "on_request_reject") == []
    assert len(strategy.names("on_order_cancelled")) == 21
    steps = backtest.trace.orders
    is_end = [event == OrderEvent.Cancelled.value for event in steps.event]
    ends = [ns for ns, ended in zip(steps.ns, is_end, strict=True) if ended]
    assert max(ends) - min(ends) >= 1_100 * MS_NS  # ten single ones and ten in batches fit into 1.1 s
