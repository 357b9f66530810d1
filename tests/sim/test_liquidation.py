"""Maintenance margin and liquidation: when an account is bankrupt, and what becomes of its orders and positions."""

from __future__ import annotations

from typing import Any

import pytest
from sim_scene import SimScene, inverse, perpetual, spot

from mlthon._core.market_event import DepthUpdate
from mlthon.basics.defs import OrderType, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.sim.exchange import SimExchange
from mlthon.sim.funding import FundingRules
from mlthon.sim.orders import EndReason, Fees, NewOrder, OrderState, Origin

NOTHING = MLDecimal("0")
FREE = Fees(maker=NOTHING, taker=NOTHING, spot_maker=NOTHING, spot_taker=NOTHING)
FINE = {"price_tick_rules": "0.01"}


class Scene(SimScene):
    deposits = {"USDT": Qty("1000"), "BTC": Qty("1")}  # noqa: RUF012

    def __init__(self, instrument: Any = None, **options: Any) -> None:
        super().__init__(instrument or perpetual(**FINE), fees=FREE, **options)
        self.marks("100")

    def marks(self, price: str) -> None:
        """A book around a price."""
        mark = Price(price)
        low, high = str((mark - Price("0.01")).to_decimal()), str((mark + Price("0.01")).to_decimal())
        self.depth([(low, "1000000")], [(high, "1000000")], is_snapshot=True)

    def told(self) -> list[str]:
        return [what for what, *_ in self.listener.take()]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_maintenance_margin_is_a_part_of_the_value_at_the_mark(scene: Scene) -> None:
    scene.buy(scene.alice, "50", "100.01")
    scene.marks("110")
    position, wallet = scene.alice.position("BTCUSDT"), scene.alice.wallet("USDT")
    assert position.maintenance_margin == wallet.maintenance_margin == MLDecimal("27.5")


@pytest.mark.parametrize(("side", "price"), [(Side.Buy, "80.41"), (Side.Sell, "119.39")])
def test_the_liquidation_price_is_where_it_happens(scene: Scene, side: Side, price: str) -> None:
    place = scene.buy if side is Side.Buy else scene.sell
    place(scene.alice, "50", None, order_type=OrderType.Market)
    told = scene.alice.position("BTCUSDT").liquidation_price
    assert told is not None
    assert told.round_nearest("0.01") == Price(price)
    step = Price("0.02") if side is Side.Buy else Price("-0.02")
    scene.marks(str((told.round_nearest("0.01") + step).to_decimal()))
    assert scene.alice.position("BTCUSDT").size != Qty("0")
    scene.marks(str((told.round_nearest("0.01") - step).to_decimal()))
    assert scene.alice.position("BTCUSDT").size == Qty("0")
    scene.exchange.check_conservation()


@pytest.mark.parametrize("side", list(Side))
def test_inverse_positions_are_liquidated_in_their_coin(side: Side) -> None:
    scene = Scene(inverse(**FINE))
    place = scene.buy if side is Side.Buy else scene.sell
    place(scene.alice, "500", None, order_type=OrderType.Market)
    told = scene.alice.position("BTCUSD").liquidation_price
    assert told is not None
    assert (told < Price("100")) is (side is Side.Buy)
    step = Price("0.03") if side is Side.Buy else Price("-0.03")
    nearest = told.round_nearest("0.01")
    scene.marks(str((nearest + step).to_decimal()))
    assert scene.alice.position("BTCUSD").size != Qty("0")
    scene.marks(str((nearest - step).to_decimal()))
    assert scene.alice.position("BTCUSD").size == Qty("0")
    assert NOTHING <= scene.alice.wallet("BTC").balance < MLDecimal("0.001")
    assert scene.alice.wallet("USDT").balance == MLDecimal("1000")
    scene.exchange.check_conservation()


def test_who_holds_more_than_he_could_lose_has_no_liquidation_price() -> None:
    scene = Scene()
    scene.buy(scene.alice, "9", "100.01")
    assert scene.alice.position("BTCUSDT").liquidation_price is None
    coins = Scene(inverse(**FINE))
    coins.sell(coins.alice, "90", "99.99")  # short by no more than the coins are worth: a hedge
    assert coins.alice.position("BTCUSD").liquidation_price is None
    coins.marks("100000")
    assert coins.alice.position("BTCUSD").size == Qty("-90")


def test_a_liquidation_is_told_in_order(scene: Scene) -> None:
    scene.buy(scene.alice, "50", "100.01")
    resting = [scene.sell(scene.alice, "50", "130"), scene.buy(scene.alice, "1", "70")]
    scene.listener.take()
    scene.marks("80")
    told = scene.listener.take()
    assert [what for what, *_ in told] == [
        "depth",
        "order",
        "order",
        "fill",
        "order",
        "position",
        "wallet",
    ]
    update = told[0][2]
    assert (Price("130"), Qty("0")) in update.asks(), "what the liquidation took off the book is in it"
    assert (Price("70"), Qty("0")) in update.bids()
    orders = [rest[0] for what, *rest in told if what == "order"]
    for order, before in zip(orders, resting, strict=False):
        assert (order.order_id, order.state, order.end_reason) == (
            before.order_id,
            OrderState.Cancelled,
            EndReason.BeforeLiquidation,
        )
    taken = orders[2]
    assert (taken.origin, taken.state, taken.link_id) == (Origin.Liquidation, OrderState.Filled, "")
    assert (taken.side, taken.order_type, taken.price, taken.reduce_only) == (
        Side.Sell,
        OrderType.Market,
        None,
        True,
    )
    fill = next(rest[0] for what, *rest in told if what == "fill")
    assert (fill.origin, fill.qty, fill.closed_qty, fill.fee) == (
        Origin.Liquidation,
        Qty("50"),
        Qty("50"),
        NOTHING,
    )
    assert fill.price == Price("80.01")  # 50 * (100.01 - 80.01) is all that there was
    assert scene.alice.wallet("USDT").balance == NOTHING
    assert scene.alice.position("BTCUSDT").realised_pnl == MLDecimal("-1000")
    assert scene.exchange.find_order(scene.alice, taken.order_id) == taken


def test_what_a_jump_takes_beyond_the_equity_the_market_bears(scene: Scene) -> None:
    scene.buy(scene.alice, "50", "100.01")
    scene.marks("10")
    assert scene.alice.wallet("USDT").balance == NOTHING
    assert scene.exchange.fills(scene.alice)[-1].price == Price("80.01")
    scene.exchange.check_conservation()


def test_prices_are_rounded_for_the_account() -> None:
    scene = Scene(perpetual(price_tick_rules="0.5"))
    scene.sell(scene.alice, "50", "99.5")
    scene.marks("119.6")
    assert scene.exchange.fills(scene.alice)[-1].price == Price("119.5")  # not 119.99
    assert scene.alice.wallet("USDT").balance == MLDecimal("24.5")


def test_liquidation_prevented_by_cancelling_orders_leaves_the_position(scene: Scene) -> None:
    """An own order in a wide book moves the mark against its owner; without it he is not bankrupt."""
    scene.buy(scene.alice, "50", "100.01")
    scene.depth([("59", "1000")], [("110", "1000")], is_snapshot=True)  # marked at 84.5, bankrupt below 80.41
    resting = scene.sell(scene.alice, "1", "99")  # marks the book at 79
    assert (resting.state, resting.end_reason) == (OrderState.Cancelled, EndReason.BeforeLiquidation)
    assert scene.alice.position("BTCUSDT").size == Qty("50")
    assert scene.alice.position("BTCUSDT").mark_price == Price("84.5")


def test_fees_and_funding_can_bankrupt_too() -> None:
    scene = Scene(funding=FundingRules(rate=MLDecimal("0.1"), interval_ns=10**12))
    scene.exchange.pass_time()
    scene.buy(scene.alice, "99", "100.01")
    scene.now = 10**12
    scene.exchange.pass_time()
    kinds = scene.told()
    assert kinds[-4:] == ["fill", "order", "position", "wallet"]
    assert "funding" in kinds
    assert scene.alice.position("BTCUSDT").size == Qty("0")
    assert NOTHING <= scene.alice.wallet("USDT").balance < MLDecimal("1")
    scene.exchange.check_conservation()


def test_each_position_takes_its_part_of_the_equity() -> None:
    exchange = SimExchange([perpetual(**FINE), perpetual("ETHUSDT", **FINE)], lambda: 0, fees=FREE)
    account = exchange.add_account("carol", {"USDT": Qty("1000")})
    exchange.apply_depth("BTCUSDT", DepthUpdate([("99.99", "900")], [("100.01", "900")]))
    exchange.apply_depth("ETHUSDT", DepthUpdate([("9.99", "900")], [("10.01", "900")]))
    exchange.place(account, NewOrder("BTCUSDT", Side.Buy, Qty("60"), Price("100.01")))
    exchange.place(account, NewOrder("ETHUSDT", Side.Sell, Qty("200"), Price("9.99")))
    exchange.apply_depth("BTCUSDT", DepthUpdate([("83.5", "900")], [("83.52", "900")], is_snapshot=True))
    fills = {fill.symbol: fill for fill in exchange.fills(account)[-2:]}
    assert {fill.origin for fill in fills.values()} == {Origin.Liquidation}
    # Equity 8, to be lost in proportion to the values: 5010.6 of BTC and 2000 of ETH.
    assert fills["BTCUSDT"].price == Price("83.42")
    assert fills["ETHUSDT"].price == Price("10.01")
    assert NOTHING <= account.wallet("USDT").balance < MLDecimal("1")
    exchange.check_conservation()


def test_spot_orders_that_give_the_coin_away_are_cancelled_too() -> None:
    exchange = SimExchange([perpetual(**FINE), spot()], lambda: 0, fees=FREE)
    account = exchange.add_account("carol", {"USDT": Qty("1000"), "BTC": Qty("1")})
    exchange.apply_depth("BTCUSDT", DepthUpdate([("99.99", "900")], [("100.01", "900")]))
    exchange.place(account, NewOrder("BTCUSDT", Side.Buy, Qty("60"), Price("100.01")))
    buying = exchange.place(account, NewOrder("BTC/USDT", Side.Buy, Qty("1"), Price("90")))
    selling = exchange.place(account, NewOrder("BTC/USDT", Side.Sell, Qty("1"), Price("190")))
    exchange.apply_depth("BTCUSDT", DepthUpdate([("70", "900")], [("70.02", "900")], is_snapshot=True))
    assert exchange.find_order(account, buying.order_id).end_reason is EndReason.BeforeLiquidation
    assert exchange.open_orders(account) == [selling]
    assert account.wallet("USDT").locked == NOTHING
    exchange.check_conservation()


def test_one_liquidation_can_lead_to_another() -> None:
    """Bob's bid keeps the mark up, and Alice alive, until his own liquidation takes it away."""
    exchange = SimExchange([perpetual(**FINE), perpetual("ETHUSDT", **FINE)], lambda: 0, fees=FREE)
    alice = exchange.add_account("alice", {"USDT": Qty("1000")})
    bob = exchange.add_account("bob", {"USDT": Qty("1000")})
    for symbol in ("BTCUSDT", "ETHUSDT"):
        exchange.apply_depth(symbol, DepthUpdate([("99.99", "900")], [("100.01", "900")]))
    exchange.place(alice, NewOrder("BTCUSDT", Side.Buy, Qty("50"), Price("100.01")))
    exchange.place(bob, NewOrder("ETHUSDT", Side.Buy, Qty("50"), Price("100.01")))
    exchange.place(bob, NewOrder("BTCUSDT", Side.Buy, Qty("1"), Price("99.98")))
    exchange.apply_depth("BTCUSDT", DepthUpdate([("20", "900")], [("100.01", "900")], is_snapshot=True))
    assert alice.position("BTCUSDT").size == Qty("50")
    exchange.apply_depth("ETHUSDT", DepthUpdate([("70", "900")], [("70.02", "900")], is_snapshot=True))
    assert bob.position("ETHUSDT").size == Qty("0")
    assert alice.position("BTCUSDT").size == Qty("0")
    exchange.check_conservation()


def test_a_cancel_that_moves_the_mark_liquidates(scene: Scene) -> None:
    scene.buy(scene.alice, "50", "100.01")
    support = scene.buy(scene.bob, "1", "99.98")
    scene.depth([("20", "9000")], [("100.5", "9000")], is_snapshot=True)
    assert scene.alice.position("BTCUSDT").size == Qty("50")
    orders = [scene.sell(scene.alice, "1", "120"), scene.sell(scene.alice, "1", "121")]
    scene.exchange.cancel(scene.bob, "BTCUSDT", order_id=support.order_id)
    assert scene.alice.position("BTCUSDT").size == Qty("0")
    for order in orders:
        assert (
            scene.exchange.find_order(scene.alice, order.order_id).end_reason is EndReason.BeforeLiquidation
        )
