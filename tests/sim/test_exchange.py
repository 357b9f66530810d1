"""The simulated exchange: what it refuses, what it tells and in which order, and what it remembers."""

from __future__ import annotations

from typing import Any

import pytest
from sim_scene import SYMBOL, Listener, SimScene, order, perpetual, spot

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import TIF, OrderType, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import ConfigError
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import (
    EndReason,
    Limits,
    OrderState,
    QueueRule,
    Refusal,
    Refused,
    SelfTrade,
    SimOrder,
)

MARKET = {"order_type": OrderType.Market}


@pytest.fixture
def scene() -> SimScene:
    scene = SimScene()
    scene.depth([("99.5", "10")], [("100.5", "10")], is_snapshot=True, seq=7, venue_ns=70)
    scene.listener.take()
    return scene


def refused(reason: Refusal) -> Any:
    return pytest.raises(Refused, match=f"^{reason.value}: ")


# -- what it tells ------------------------------------------------------------------------------------------------


def test_a_resting_order_is_told_as_new_and_displayed(scene: SimScene) -> None:
    placed = scene.buy(scene.alice, "2", "99", link_id="a1")
    assert placed.state is OrderState.New
    told = scene.listener.take()
    assert [what for what, *_ in told] == ["order", "depth"]
    assert told[0][1] == placed
    update = told[1][2]
    assert update.bids() == [(Price("99"), Qty("2"))]
    assert (update.seq, update.venue_ns) == (7, 70)


def test_an_order_that_fills_at_once_is_never_told_as_new(scene: SimScene) -> None:
    placed = scene.buy(scene.alice, "2", "101")
    assert (placed.state, placed.avg_price) == (OrderState.Filled, Price("100.5"))
    told = scene.listener.take()
    assert [what for what, *_ in told] == ["fill", "order", "position", "wallet", "trade", "depth"]
    assert told[1][1] == placed


def test_an_order_that_fills_in_part_is_told_as_new_first(scene: SimScene) -> None:
    placed = scene.buy(scene.alice, "12", "101")
    told = scene.listener.take()
    assert [what for what, *_ in told] == ["order", "fill", "order", "position", "wallet", "trade", "depth"]
    assert told[0][1].state is OrderState.New
    assert told[0][1].leaves_qty == Qty("12")
    assert told[2][1] == placed
    assert placed.state is OrderState.PartiallyFilled
    assert (placed.leaves_qty, placed.cum_qty) == (Qty("2"), Qty("10"))


def test_both_clients_of_a_trade_are_told_and_the_public_hears_of_one_trade(scene: SimScene) -> None:
    resting = scene.sell(scene.bob, "1", "100")
    scene.listener.take()
    scene.buy(scene.alice, "1", "100")
    told = scene.listener.take()
    fills = [fill for what, *rest in told if what == "fill" for fill in rest]
    assert [(fill.account, fill.is_maker, fill.fee_rate) for fill in fills] == [
        ("alice", False, MLDecimal("0.00055")),
        ("bob", True, MLDecimal("0.0002")),
    ]
    assert fills[1].order_id == resting.order_id
    trades = [rest[1] for what, *rest in told if what == "trade"]
    assert [(trade.taker_side, trade.price, trade.qty) for trade in trades] == [
        (Side.Buy, Price("100"), Qty("1"))
    ]


def test_a_public_trade_that_fills_us_is_told_once_as_it_came(scene: SimScene) -> None:
    scene.buy(scene.alice, "2", "100")
    scene.listener.take()
    scene.trade(Side.Sell, "99.5", "5", trade_id="t1", venue_ns=80)
    told = scene.listener.take()
    assert [what for what, *_ in told] == ["fill", "order", "position", "wallet", "trade", "depth"]
    assert (told[4][2].trade_id, told[4][2].qty) == ("t1", Qty("5"))


def test_a_depth_message_that_crosses_us_makes_a_public_trade(scene: SimScene) -> None:
    scene.buy(scene.alice, "2", "100")
    scene.listener.take()
    scene.depth([], [("99.5", "0"), ("100", "1")], venue_ns=90)
    trades = [rest[1] for what, *rest in scene.listener.take() if what == "trade"]
    assert [(t.taker_side, t.price, t.qty, t.venue_ns) for t in trades] == [
        (Side.Sell, Price("100"), Qty("1"), 90)
    ]


def test_a_depth_message_below_what_is_displayed_is_told_with_its_stamps(scene: SimScene) -> None:
    scene.depth([("99.5", "4")], [], seq=8, venue_ns=99)
    [(_, symbol, update)] = scene.listener.take()
    assert (symbol, update.seq, update.venue_ns, update.is_snapshot) == (SYMBOL, 8, 99, False)
    assert update.bids() == [(Price("99.5"), Qty("4"))]


def test_events_given_to_the_engine_are_caught_up_with(scene: SimScene) -> None:
    """What a loop of its own does must come to the same as the exchange's calls."""
    twin = SimScene()
    engine = scene.exchange.engine(SYMBOL)
    twin.depth([("99.5", "10")], [("100.5", "10")], is_snapshot=True, seq=7, venue_ns=70)
    for each in (scene, twin):
        each.buy(each.alice, "2", "100")
        each.listener.take()
    crossing = DepthUpdate([], [("100", "1")], venue_ns=80)
    engine.apply_depth(crossing)
    assert engine.concerns_clients()
    scene.exchange.catch_up(SYMBOL)
    twin.exchange.apply_depth(SYMBOL, crossing)
    through = PublicTrade(Side.Sell, "99", "1", venue_ns=90)
    engine.apply_trade(through)
    assert engine.concerns_clients()
    scene.exchange.catch_up(SYMBOL, through)
    twin.exchange.apply_trade(SYMBOL, through)
    told = scene.listener.take()
    assert [what for what, *_ in told].count("fill") == 2
    assert without_times(told) == without_times(twin.listener.take())
    scene.exchange.check_conservation()


def without_times(told: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    cleared = {
        "order": lambda order: order.replace(created_ns=0, updated_ns=0),
        "fill": lambda fill: fill._replace(exec_ns=0),
    }
    return [(what, cleared[what](rest[0])) if what in cleared else (what, *rest) for what, *rest in told]


def test_the_queue_rule_is_the_exchanges() -> None:
    for rule, ahead in ((QueueRule.Behind, "10"), (QueueRule.Proportional, "5"), (QueueRule.Ahead, "0")):
        scene = SimScene(queue_rule=rule)
        scene.depth([("99.5", "10")], [("100.5", "10")])
        placed = scene.buy(scene.alice, "1", "99.5")
        scene.depth([("99.5", "20")], [])
        scene.depth([("99.5", "10")], [])
        assert scene.exchange.qty_ahead(placed) == Qty(ahead)


def test_how_orders_end_without_the_user(scene: SimScene) -> None:
    ends = [
        scene.buy(scene.alice, "1", "100.5", post_only=True),
        scene.buy(scene.alice, "11", "100.5", tif=TIF.FOK),
        scene.buy(scene.alice, "11", "100.5", tif=TIF.IOC),
        scene.buy(scene.alice, "1", None, **MARKET),
    ]
    assert [(end.state, end.end_reason) for end in ends] == [
        (OrderState.Rejected, EndReason.PostOnlyWouldCross),
        (OrderState.Cancelled, EndReason.NotFillableWhole),
        (OrderState.Cancelled, EndReason.NoImmediateLiquidity),
        (OrderState.Cancelled, EndReason.NoImmediateLiquidity),
    ]
    assert ends[2].cum_qty == Qty("10")
    assert all(end.leaves_qty.is_zero() for end in ends)


def test_a_post_only_order_amended_to_cross_is_cancelled_not_rejected(scene: SimScene) -> None:
    resting = scene.buy(scene.alice, "1", "99", post_only=True)
    after = scene.exchange.amend(scene.alice, SYMBOL, order_id=resting.order_id, price=Price("100.5"))
    assert (after.state, after.end_reason) == (OrderState.Cancelled, EndReason.PostOnlyWouldCross)


def test_a_self_trade_ends_the_resting_order_when_the_incoming_one_says_so(scene: SimScene) -> None:
    resting = scene.sell(scene.alice, "1", "100")
    incoming = scene.buy(scene.alice, "1", "100", self_trade=SelfTrade.CancelMaker)
    after = scene.exchange.find_order(scene.alice, resting.order_id)
    assert after is not None
    assert (after.state, after.end_reason) == (OrderState.Cancelled, EndReason.SelfTrade)
    assert after.met_order_id == incoming.order_id


def test_amend_counts_the_filled_quantity(scene: SimScene) -> None:
    resting = scene.buy(scene.alice, "12", "100.5")
    after = scene.exchange.amend(scene.alice, SYMBOL, order_id=resting.order_id, qty=Qty("11"))
    assert (after.qty, after.leaves_qty, after.cum_qty) == (Qty("11"), Qty("1"), Qty("10"))
    with refused(Refusal.BadQty):
        scene.exchange.amend(scene.alice, SYMBOL, order_id=resting.order_id, qty=Qty("10"))


def test_cancel_all_ends_the_accounts_orders_in_the_symbol_only(scene: SimScene) -> None:
    mine = [scene.buy(scene.alice, "1", price) for price in ("99", "98")]
    scene.buy(scene.bob, "1", "98")
    scene.listener.take()
    cancelled = scene.exchange.cancel_all(scene.alice, SYMBOL)
    assert [order.order_id for order in cancelled] == [order.order_id for order in mine]
    assert {order.end_reason for order in cancelled} == {EndReason.ByUser}
    assert [what for what, *_ in scene.listener.take()] == ["order", "depth", "order"]
    assert len(scene.exchange.open_orders(scene.bob)) == 1


def test_what_one_request_changes_of_the_book_is_told_at_once(scene: SimScene) -> None:
    scene.buy(scene.bob, "1", "98")
    for price in ("100", "98", "99.5", "98"):
        scene.buy(scene.alice, "2", price)
    scene.sell(scene.alice, "3", "100.5")
    scene.listener.take()
    scene.exchange.cancel_all(scene.alice, SYMBOL)
    [update] = [rest[1] for what, *rest in scene.listener.take() if what == "depth"]
    assert sorted(update.bids()) == [
        (Price("98"), Qty("1")),
        (Price("99.5"), Qty("10")),
        (Price("100"), Qty("0")),
    ]
    assert update.asks() == [(Price("100.5"), Qty("10"))]
    assert (update.seq, update.venue_ns) == (7, 70)


def test_listeners_are_told_in_the_order_in_which_they_attached(scene: SimScene) -> None:
    log: list[str] = []

    class Named(Listener):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def on_order(self, order: SimOrder) -> None:
            log.append(f"{self.name} {order.state.name}")

    scene.exchange.attach(Named("first"))
    scene.exchange.attach(Named("second"))
    scene.buy(scene.alice, "1", "99")
    assert log == ["first New", "second New"]


def test_what_a_listener_causes_is_told_after_what_is_under_way(scene: SimScene) -> None:
    depth = 0

    class Chaser(Listener):
        """Answers every new order with one of its own, while it is being told."""

        def on_order(self, order: SimOrder) -> None:
            nonlocal depth
            depth += 1
            assert depth == 1, "a call inside a call"
            if order.account == "alice":
                scene.sell(scene.bob, "1", "101")
                assert len(scene.exchange.open_orders(scene.bob)) == 1, "what it asked for is done"
            depth -= 1

    scene.exchange.attach(Chaser())
    scene.buy(scene.alice, "1", "99")
    told = scene.listener.take()
    assert [what for what, *_ in told] == ["order", "depth", "order", "depth"]
    assert [rest[0].account for what, *rest in told if what == "order"] == ["alice", "bob"]
    assert [rest[1].bids() != [] for what, *rest in told if what == "depth"] == [True, False]


def test_a_listener_that_raises_loses_nothing_for_the_next_call(scene: SimScene) -> None:
    class Clumsy(Listener):
        def on_order(self, order: SimOrder) -> None:
            raise RuntimeError("clumsy")

    scene.exchange.attach(Clumsy())
    with pytest.raises(RuntimeError, match="clumsy"):
        scene.buy(scene.alice, "1", "99")
    assert [what for what, *_ in scene.listener.take()] == ["order"]
    scene.depth([("99.5", "4")], [])
    assert [what for what, *_ in scene.listener.take()] == ["depth", "depth"]


# -- what it refuses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        (Refusal.BadPrice, {"price": "99.3"}),
        (Refusal.BadPrice, {"price": "0"}),
        (Refusal.BadPrice, {"price": "-1"}),
        (Refusal.BadPrice, {"price": None}),
        (Refusal.BadQty, {"qty": "0.0001"}),
        (Refusal.BadQty, {"qty": "0"}),
        (Refusal.BadQty, {"qty": "-1"}),
        (Refusal.BadQty, {"qty": "1.0005"}),
        (Refusal.BadQty, {"qty": "1000000000000000000"}),
        (Refusal.BadQty, {"price": "10000000000000000000", "qty": "1000000000000000"}),
        (Refusal.BelowMinNotional, {"qty": "0.05"}),
        (Refusal.InsufficientFunds, {"qty": "10200"}),
        (Refusal.InsufficientFunds, {"price": "10000000000000000000", "qty": "1"}),
        (Refusal.ReduceOnly, {"reduce_only": True}),
        (Refusal.BadCombination, {"post_only": True, "tif": TIF.IOC}),
        (Refusal.BadCombination, {"order_type": OrderType.Market}),
        (Refusal.BadCombination, {"tif": TIF.Unset}),
        (Refusal.BadCombination, {"order_type": OrderType.Unset}),
    ],
)
def test_bad_orders_are_refused_and_change_nothing(scene: SimScene, reason: Refusal, fields: Any) -> None:
    arguments = {"qty": "1", "price": "99", "link_id": "x", **fields}
    with refused(reason):
        scene.exchange.place(scene.alice, order(Side.Buy, **arguments))
    assert scene.listener.take() == []
    assert scene.exchange.open_orders(scene.alice) == []
    scene.buy(scene.alice, "1", "99", link_id="x")


def test_unknown_symbols_are_refused(scene: SimScene) -> None:
    with refused(Refusal.UnknownSymbol):
        scene.exchange.cancel_all(scene.alice, "ETHUSDT")


def test_a_link_id_is_good_for_one_order_for_ever(scene: SimScene) -> None:
    scene.buy(scene.alice, "1", "99", link_id="mine")
    scene.exchange.cancel(scene.alice, SYMBOL, link_id="mine")
    with refused(Refusal.DuplicateLinkId):
        scene.buy(scene.alice, "1", "99", link_id="mine")
    scene.buy(scene.bob, "1", "99", link_id="mine")


def test_an_account_has_so_many_open_orders_and_no_more() -> None:
    scene = SimScene(limits=Limits(max_open_orders=2))
    for _ in range(2):
        last = scene.buy(scene.alice, "1", "99")
    with refused(Refusal.TooManyOrders):
        scene.buy(scene.alice, "1", "99")
    scene.exchange.cancel(scene.alice, SYMBOL, order_id=last.order_id)
    scene.buy(scene.alice, "1", "99")


def test_spot_pairs_share_one_limit_of_open_orders_and_contracts_have_their_own() -> None:
    instruments = [spot(), spot("ETHUSDT"), perpetual(), perpetual("ETHUSDT")]
    exchange = SimExchange(instruments, lambda: 0, limits=Limits(max_open_orders=2))
    alice = exchange.add_account("alice", {"USDT": Qty("100000")})
    for symbol in ("BTC/USDT", "ETH/USDT", "BTCUSDT", "BTCUSDT", "ETHUSDT"):
        exchange.place(alice, order(Side.Buy, "1", "99", symbol))
    for symbol in ("BTC/USDT", "BTCUSDT"):
        with refused(Refusal.TooManyOrders):
            exchange.place(alice, order(Side.Buy, "1", "99", symbol))
    exchange.place(alice, order(Side.Buy, "1", "99", "ETHUSDT"))


def test_unknown_and_ended_orders_are_told_apart(scene: SimScene) -> None:
    resting = scene.buy(scene.alice, "1", "99", link_id="mine")
    for call in (scene.exchange.cancel, scene.exchange.amend):
        with refused(Refusal.UnknownOrder):
            call(scene.alice, SYMBOL, order_id=999)
        with refused(Refusal.UnknownOrder):
            call(scene.alice, SYMBOL, link_id="other")
        with refused(Refusal.UnknownOrder):
            call(scene.bob, SYMBOL, order_id=resting.order_id)
    scene.exchange.cancel(scene.alice, SYMBOL, link_id="mine")
    for call in (scene.exchange.cancel, scene.exchange.amend):
        with refused(Refusal.OrderEnded):
            call(scene.alice, SYMBOL, order_id=resting.order_id)


def test_an_amend_to_what_it_is_already_is_refused(scene: SimScene) -> None:
    resting = scene.buy(scene.alice, "1", "99")
    with refused(Refusal.NothingToChange):
        scene.exchange.amend(scene.alice, SYMBOL, order_id=resting.order_id, price=Price("99"), qty=Qty("1"))


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        (Refusal.BadPrice, {"price": Price("99.3")}),
        (Refusal.BadQty, {"qty": Qty("0.0001")}),
        (Refusal.BelowMinNotional, {"qty": Qty("0.01")}),
        (Refusal.InsufficientFunds, {"qty": Qty("20000")}),
    ],
)
def test_bad_amends_are_refused_and_change_nothing(scene: SimScene, reason: Refusal, change: Any) -> None:
    resting = scene.buy(scene.alice, "1", "99")
    with refused(reason):
        scene.exchange.amend(scene.alice, SYMBOL, order_id=resting.order_id, **change)
    assert scene.exchange.find_order(scene.alice, resting.order_id) == resting


def test_a_reduce_only_order_may_be_small_and_needs_no_funds(scene: SimScene) -> None:
    scene.buy(scene.alice, "1", "100.5")
    closing = scene.sell(scene.alice, "0.01", "99.5", reduce_only=True)
    assert closing.state is OrderState.Filled


@pytest.mark.parametrize(
    "fields",
    [
        {"exch_instr_id": None},
        {"price_tick_rules": None},
        {"quantity_tick_rules": None},
        {"multiplier": "10"},
    ],
)
def test_an_instrument_that_cannot_be_traded_is_a_config_error(fields: Any) -> None:
    instrument = perpetual()
    for name, value in fields.items():
        setattr(instrument, f"_{name}_", None if value is None else MLDecimal(value))
    with pytest.raises(ConfigError, match="expected"):
        SimExchange([instrument], lambda: 0)


def test_accounts_have_names_of_their_own(scene: SimScene) -> None:
    with pytest.raises(ConfigError, match="alice"):
        scene.exchange.add_account("alice", {})


# -- what it remembers ----------------------------------------------------------------------------------------------


def test_closed_orders_and_fills_are_remembered_up_to_a_number() -> None:
    scene = SimScene(limits=Limits(max_open_orders=2, history=3))
    scene.depth([], [("100", "100")])
    placed = [scene.buy(scene.alice, "1", "100") for _ in range(5)]
    assert scene.exchange.recent_orders(scene.alice) == placed[2:]
    assert [fill.order_id for fill in scene.exchange.fills(scene.alice)] == [o.order_id for o in placed[2:]]
    assert scene.exchange.find_order(scene.alice, placed[0].order_id) is None
    with pytest.raises(ConfigError, match="history"):
        SimScene(limits=Limits(max_open_orders=5, history=5))


def test_an_order_knows_what_stands_in_front_of_it(scene: SimScene) -> None:
    scene.buy(scene.bob, "1", "99.5")
    mine = scene.buy(scene.alice, "1", "99.5")
    assert scene.exchange.qty_ahead(mine) == Qty("11")
