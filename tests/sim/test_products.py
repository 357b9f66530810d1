"""Inverse contracts and spot pairs in the exchange: what they cost, what they lock, and what they are charged."""

from __future__ import annotations

from typing import Any

import pytest
from sim_scene import SimScene, inverse, perpetual, spot

from mlthon.basics.defs import TIF, OrderType, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import ConfigError
from mlthon.instruments.future import Future
from mlthon.instruments.instrument import Instrument
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import EndReason, Fees, OrderState, Refusal, Refused

MARKET = {"order_type": OrderType.Market}


def coin(text: str) -> MLDecimal:
    return MLDecimal(text)


@pytest.fixture
def coins() -> SimScene:
    """BTCUSD, inverse."""
    scene = SimScene(inverse())
    scene.depth([("40000", "100000")], [("50000", "100000")], is_snapshot=True)
    return scene


@pytest.fixture
def pair() -> SimScene:
    """BTC/USDT, spot."""
    scene = SimScene(spot())
    scene.depth([("40000", "3")], [("50000", "3")], is_snapshot=True)
    scene.listener.take()
    return scene


# -- inverse contracts ----------------------------------------------------------------------------------------------


def test_an_inverse_fill_is_worth_its_quantity_over_its_price(coins: SimScene) -> None:
    placed = coins.buy(coins.alice, "20000", "50000")
    [fill] = coins.exchange.fills(coins.alice)
    assert (fill.value, fill.fee, fill.fee_coin) == (coin("0.4"), coin("0.00022"), "BTC")
    assert (placed.cum_value, placed.avg_price, placed.cum_fees) == (
        coin("0.4"),
        Price("50000"),
        {"BTC": coin("0.00022")},
    )
    assert coins.alice.wallet("BTC").balance == coin("9.99978")
    assert coins.alice.wallet("USDT").balance == coin("100000")
    assert [rest for what, *rest in coins.listener.take() if what == "wallet"] == [["alice", ("BTC",)]]


def test_inverse_profit_is_counted_in_the_coin(coins: SimScene) -> None:
    coins.buy(coins.alice, "20000", "50000")
    coins.depth([("40000", "0"), ("62000", "100000")], [("50000", "0"), ("63000", "100000")])
    position = coins.alice.position("BTCUSD")
    assert (position.size, position.avg_price) == (Qty("20000"), Price("50000"))
    assert position.unrealised_pnl == coin("0.08")  # 20000 * (1 / 50000 - 1 / 62500)
    coins.sell(coins.alice, "10000", "62000")
    position = coins.alice.position("BTCUSD")
    assert position.realised_pnl == coin("0.2") - MLDecimal("10000") / MLDecimal("62000")
    coins.exchange.check_conservation()


def test_inverse_margin_is_the_value_in_the_coin_by_the_leverage(coins: SimScene) -> None:
    coins.sell(coins.alice, "40000", "40000")
    coins.sell(coins.alice, "10000", "50000")
    wallet = coins.alice.wallet("BTC")
    assert (wallet.position_margin, wallet.order_margin) == (coin("0.1"), coin("0.02"))
    coins.buy(coins.alice, "10000", "20000")  # against the short position: no more than the sale above needs
    assert coins.alice.wallet("BTC").order_margin == coin("0.02")
    with pytest.raises(Refused, match="BTC"):
        coins.sell(coins.alice, "5000000", "50000")


def test_the_least_value_of_an_inverse_order_is_in_the_quote_coin() -> None:
    scene = SimScene(inverse(min_notional="5"))
    with pytest.raises(Refused) as refused:
        scene.buy(scene.alice, "4", "50000")
    assert refused.value.reason is Refusal.BelowMinNotional
    assert scene.buy(scene.alice, "5", "50000").state is OrderState.New


def test_reduce_only_closes_inverse_positions_too(coins: SimScene) -> None:
    coins.sell(coins.alice, "300", "40000")
    closing = coins.buy(coins.alice, "500", "50000", reduce_only=True)
    assert (closing.cum_qty, closing.end_reason) == (Qty("300"), EndReason.ReduceOnly)
    assert coins.alice.position("BTCUSD").size == Qty("0")


# -- spot -----------------------------------------------------------------------------------------------------------


def test_a_purchase_exchanges_the_coins_and_pays_in_the_one_received(pair: SimScene) -> None:
    placed = pair.buy(pair.alice, "1", "50000")
    assert placed.state is OrderState.Filled
    assert pair.alice.wallet("USDT").balance == coin("50000")
    assert pair.alice.wallet("BTC").balance == coin("10.999")
    assert placed.cum_fees == {"BTC": coin("0.001")}
    told = pair.listener.take()
    assert [what for what, *_ in told] == ["fill", "order", "wallet", "trade", "depth"]
    assert [rest[1] for what, *rest in told if what == "wallet"] == [("BTC", "USDT")]


def test_a_sale_pays_its_fee_in_the_quote_coin(pair: SimScene) -> None:
    placed = pair.sell(pair.alice, "2", "40000")
    assert (placed.avg_price, placed.cum_fees) == (Price("40000"), {"USDT": coin("80")})
    assert pair.alice.wallet("USDT").balance == coin("179920")
    assert pair.alice.wallet("BTC").balance == coin("8")


def test_spot_has_no_position_no_leverage_and_nothing_to_reduce(pair: SimScene) -> None:
    pair.buy(pair.alice, "1", "50000")
    with pytest.raises(KeyError):
        pair.alice.position("BTC/USDT")
    with pytest.raises(KeyError):
        pair.alice.leverage("BTC/USDT")
    with pytest.raises(Refused) as refused:
        pair.sell(pair.alice, "1", "40000", reduce_only=True)
    assert refused.value.reason is Refusal.BadCombination


def test_open_orders_lock_what_they_would_give(pair: SimScene) -> None:
    buying = pair.buy(pair.alice, "1", "30000")
    selling = pair.sell(pair.alice, "4", "60000")
    dollars, coins = pair.alice.wallet("USDT"), pair.alice.wallet("BTC")
    assert (dollars.balance, dollars.locked, dollars.spendable) == (
        coin("100000"),
        coin("30000"),
        coin("70000"),
    )
    assert (coins.balance, coins.locked, coins.available) == (coin("10"), coin("4"), coin("6"))
    pair.exchange.amend(pair.alice, "BTC/USDT", order_id=buying.order_id, price=Price("35000"))
    assert pair.alice.wallet("USDT").locked == coin("35000")
    pair.trade(Side.Buy, "60000", "2.5")
    assert pair.alice.wallet("BTC").locked == coin("1.5")
    pair.exchange.cancel_all(pair.alice, "BTC/USDT")
    assert pair.alice.wallet("USDT").locked == pair.alice.wallet("BTC").locked == coin("0")
    assert pair.exchange.find_order(pair.alice, selling.order_id).unfilled_qty == Qty("1.5")
    pair.exchange.check_conservation()


@pytest.mark.parametrize(
    ("side", "qty", "price"),
    [(Side.Buy, "2.5", "40000.5"), (Side.Sell, "10.001", "60000"), (Side.Sell, "10.001", None)],
)
def test_nobody_can_give_what_he_does_not_have(
    pair: SimScene, side: Side, qty: str, price: str | None
) -> None:
    fields: dict[str, Any] = MARKET if price is None else {}
    place = pair.buy if side is Side.Buy else pair.sell
    with pytest.raises(Refused) as refused:
        place(pair.alice, qty, price, **fields)
    assert refused.value.reason is Refusal.InsufficientFunds
    assert pair.alice.wallet("USDT").locked == coin("0")


def test_what_is_locked_cannot_be_given_twice(pair: SimScene) -> None:
    pair.sell(pair.alice, "6", "60000")
    with pytest.raises(Refused):
        pair.sell(pair.alice, "4.001", "60000")
    pair.sell(pair.alice, "4", "60000", tif=TIF.IOC)


# -- market orders in spot ------------------------------------------------------------------------------------------

BY_VALUE = {"order_type": OrderType.Market, "by_value": True}


def test_a_purchase_by_value_spends_as_much_as_buys_whole_lots(pair: SimScene) -> None:
    placed = pair.buy(pair.alice, "1234.5", None, **BY_VALUE)
    assert (placed.state, placed.end_reason) == (OrderState.Cancelled, EndReason.ValueSpent)
    assert (placed.qty, placed.cum_qty, placed.cum_value) == (Qty("1234.5"), Qty("0.024"), coin("1200"))
    assert (placed.unfilled_qty, placed.leaves_qty) == (Qty("34.5"), Qty("0"))
    assert pair.alice.wallet("USDT").balance == coin("98800")


def test_a_purchase_by_value_that_spends_all_of_it_is_filled(pair: SimScene) -> None:
    pair.depth([], [("50000", "0.5"), ("60000", "1")])
    placed = pair.buy(pair.alice, "55000", None, **BY_VALUE)
    assert (placed.state, placed.cum_qty, placed.unfilled_qty) == (OrderState.Filled, Qty("1"), Qty("0"))
    assert placed.avg_price == Price("55000")


def test_a_sale_by_value_earns_no_more_than_it(pair: SimScene) -> None:
    placed = pair.sell(pair.alice, "50000", None, **BY_VALUE)
    assert (placed.state, placed.cum_qty, placed.cum_value) == (OrderState.Filled, Qty("1.25"), coin("50000"))


def test_an_order_by_value_ends_with_the_market(pair: SimScene) -> None:
    pair.depth([], [("50000", "0.1")])
    placed = pair.buy(pair.alice, "20000", None, **BY_VALUE)
    assert (placed.state, placed.end_reason) == (OrderState.Cancelled, EndReason.NoImmediateLiquidity)
    assert placed.unfilled_qty == Qty("15000")


def test_a_market_purchase_stops_where_the_funds_end(pair: SimScene) -> None:
    """It was covered at the best price, and is not deeper in the book."""
    pair.depth([], [("50000", "1"), ("90000", "3")])
    placed = pair.buy(pair.alice, "1.9", None, **MARKET)
    assert (placed.state, placed.end_reason) == (OrderState.Rejected, EndReason.FundsSpent)
    assert (placed.cum_qty, placed.unfilled_qty) == (Qty("1.555"), Qty("0.345"))
    assert pair.alice.wallet("USDT").balance == coin("50")
    pair.exchange.check_conservation()


def test_a_sale_by_value_stops_where_the_coins_end(pair: SimScene) -> None:
    pair.depth([("40000", "1"), ("100", "1000")], [])
    pair.sell(pair.alice, "8.5", "60000")
    placed = pair.sell(pair.alice, "60000", None, **BY_VALUE)
    assert (placed.state, placed.end_reason) == (OrderState.Rejected, EndReason.FundsSpent)
    assert (placed.cum_qty, placed.cum_value) == (Qty("1.5"), coin("40050"))
    assert pair.alice.wallet("BTC").spendable == coin("0")
    with pytest.raises(Refused) as refused:
        pair.sell(pair.alice, "6", None, **BY_VALUE)
    assert refused.value.reason is Refusal.InsufficientFunds


@pytest.mark.parametrize(
    ("reason", "qty"),
    [
        (Refusal.BadQty, "100.00005"),
        (Refusal.BadQty, "0"),
        (Refusal.BelowMinNotional, "4.9"),
        (Refusal.InsufficientFunds, "100001"),
    ],
)
def test_bad_values_are_refused(pair: SimScene, reason: Refusal, qty: str) -> None:
    with pytest.raises(Refused) as refused:
        pair.buy(pair.alice, qty, None, **BY_VALUE)
    assert refused.value.reason is reason


def test_only_spot_market_orders_go_by_value(pair: SimScene, coins: SimScene) -> None:
    wrong = (
        (pair, "100", {"by_value": True}),
        (coins, None, BY_VALUE),
        (pair, None, {**BY_VALUE, "tif": TIF.FOK}),
    )
    for scene, price, fields in wrong:
        with pytest.raises(Refused) as refused:
            scene.buy(scene.alice, "100", price, **fields)
        assert refused.value.reason is Refusal.BadCombination


# -- rebates, and shared wallets ------------------------------------------------------------------------------------


def test_a_maker_rebate_is_paid_in_the_coin_given() -> None:
    fees = Fees(spot_maker=coin("-0.001"))
    scene = SimScene(spot(), fees=fees)
    scene.buy(scene.alice, "1", "40000")
    scene.sell(scene.alice, "1", "60000")
    scene.trade(Side.Sell, "40000", "1")
    scene.trade(Side.Buy, "60000", "1")
    bought, sold = scene.exchange.fills(scene.alice)
    assert (bought.fee_coin, bought.fee) == ("USDT", coin("-40"))
    assert (sold.fee_coin, sold.fee) == ("BTC", coin("-0.001"))
    assert scene.alice.wallet("USDT").balance == coin("120040")
    assert scene.alice.wallet("BTC").balance == coin("10.001")
    scene.exchange.check_conservation()


def test_a_pair_and_the_contract_on_it_share_the_wallet() -> None:
    scene = SimScene()
    exchange = SimExchange([perpetual(), spot()], scene.now_ns)
    assert set(exchange.instruments) == {"BTCUSDT", "BTC/USDT"}
    account = exchange.add_account("carol", {"USDT": Qty("1000")})
    scene.exchange = exchange
    scene.buy(account, "0.1", "50000")
    scene.symbol = "BTC/USDT"
    scene.buy(account, "0.01", "40000")
    wallet = account.wallet("USDT")
    assert (wallet.order_margin, wallet.locked, wallet.available) == (coin("500"), coin("400"), coin("100"))


def test_profit_that_is_not_realised_cannot_be_spent() -> None:
    scene = SimScene()
    exchange = SimExchange([perpetual(), spot()], scene.now_ns, fees=Fees(taker=coin("0")))
    account = exchange.add_account("carol", {"USDT": Qty("1000")})
    scene.exchange = exchange
    scene.depth([("100", "10")], [("101", "10")], is_snapshot=True)
    scene.buy(account, "10", "101")
    scene.depth([("200", "10")], [("101", "0"), ("201", "10")])
    wallet = account.wallet("USDT")
    assert (wallet.unrealised_pnl, wallet.available, wallet.spendable) == (
        coin("995"),
        coin("1894"),
        coin("899"),
    )


# -- what can be traded ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "said"),
    [
        (inverse(multiplier="10"), "multiplier"),
        (spot(price_tick_rules="0.0000000001", quantity_tick_rules="0.000000001"), "18 decimals"),
        (Future(exch_instr_id="BTCUSDU6", quote_currency="USD"), "perpetual or a spot pair"),
    ],
)
def test_what_cannot_be_traded_is_a_config_error(instrument: Instrument, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        SimExchange([instrument], lambda: 0)


def test_each_symbol_is_traded_once() -> None:
    with pytest.raises(ConfigError, match="once, got BTCUSDT, BTC/USDT, BTCUSDT"):
        SimExchange([perpetual(), spot(), perpetual()], lambda: 0)


@pytest.mark.parametrize("field", ["base_currency", "quote_currency"])
@pytest.mark.parametrize("make", [inverse, spot])
def test_both_coins_must_be_known(make: Any, field: str) -> None:
    instrument = make()
    setattr(instrument, f"_{field}_", None)
    with pytest.raises(ConfigError, match=field):
        SimExchange([instrument], lambda: 0)
