"""Cards BY-I: what can be traded, by which rules, and as whom."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

import pytest
from bybit_client import KEY, SECRET, Json, Stage
from card import card
from trading_desk import INVERSE, LINEAR, SPOT, Desk, eventually

from mlthon._core.dispatch import Dispatcher
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Exchange, GtwRejectCode, GtwStatus
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.market_data import MarketData
from mlthon.errors import ConfigError, VenueError
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.instruments.instrument import Instrument

OpenDesk = Callable[..., Awaitable[Desk]]
LIST = "/v5/market/instruments-info"


def loaded(desk: Desk) -> dict[str, Instrument]:
    """The instruments that the strategy was told last, by name."""
    return {known.get_instrument_name(): known for known in desk.named("on_instruments")[-1].instruments}


def change_rows(message: Json, change: Callable[[Json], Json | None]) -> list[Json]:
    """The same list with every row changed; without those for which there is None."""
    rows = [changed for row in message["result"]["list"] if (changed := change(row)) is not None]
    return [message | {"result": message["result"] | {"list": rows}}]


def with_tick(tick: str) -> Callable[[Json], Json]:
    def change(row: Json) -> Json:
        is_it = row["symbol"] == "BTCUSDT" and "contractType" in row
        return row | {"priceFilter": row["priceFilter"] | {"tickSize": tick}} if is_it else row

    return change


@card("BY-I01")
async def test_categories(desk: Desk) -> None:
    """Linear contracts, inverse contracts and spot pairs are traded side by side, each under its own name."""
    assert set(loaded(desk)) == {LINEAR, INVERSE, SPOT}


@card("BY-I02")
async def test_rules(desk: Desk) -> None:
    """Tick, lot, least and most quantity, least notional, multiplier and status are the venue's."""
    contract = loaded(desk)[LINEAR]
    assert contract.get_price_tick_rules() == Price("0.1")
    assert contract.get_quantity_tick_rules() == Qty("0.001")
    assert (contract.get_min_quantity(), contract.get_max_quantity()) == (Qty("0.001"), Qty("100"))
    assert [str(value) for value in (contract.get_min_notional(), contract.get_multiplier())] == [
        "5.00000000",
        "1.00000000",
    ]
    assert contract.get_status() == "Trading"


@card("BY-I03")
async def test_pages(open_desk: OpenDesk) -> None:
    """A list that comes in pages is read to its end."""
    desk = Desk(Stage(), categories=("linear",), instruments=[LINEAR])
    desk.wire.query_changes[LIST] = lambda query: query | {"limit": "1"}
    try:
        await desk.open()
        assert set(loaded(desk)) == {LINEAR, "byt:perp:ETH-USDT"}
        assert desk.wire.asked[LIST] == 2
    finally:
        await desk.close()


@card("BY-I04")
async def test_a_tick_too_fine(caplog: pytest.LogCaptureFixture) -> None:
    """An instrument whose tick the fixed point cannot hold is refused by name in the log, and the others load."""
    desk = Desk(Stage.of_all_products(), instruments=[INVERSE, SPOT])
    desk.wire.to_client[LIST] = lambda message: change_rows(message, with_tick("0.0000000000000000001"))
    try:
        await desk.open()
        assert set(loaded(desk)) == {INVERSE, SPOT}
    finally:
        await desk.close()
    assert [record for record in caplog.records if "BTCUSDT (linear) refused" in record.getMessage()]


@card("BY-I05")
async def test_a_tick_that_changes(open_desk: OpenDesk) -> None:
    """A tick that changes while running is announced, and orders are held to the new one."""
    desk = await open_desk(instruments_every_ms=20)
    desk.wire.to_client[LIST] = lambda message: change_rows(message, with_tick("0.50"))
    await desk.until(lambda: loaded(desk)[LINEAR].get_price_tick_rules() == Price("0.5"))
    desk.order("1", price="59000.1")
    reject = await desk.wait("on_new_order_reject", client_id="1", reject_code=GtwRejectCode.InvalidPrice)
    assert "off its tick 0.5" in reject.reject_reason


@card("BY-I06")
async def test_delisting(open_desk: OpenDesk) -> None:
    """A delisting while running is announced, and orders on the instrument are refused with MarketClosed."""
    desk = await open_desk(instruments_every_ms=20)
    desk.wire.to_client[LIST] = lambda message: change_rows(
        message,
        lambda row: row | {"status": "Closed"} if row.get("contractType") == "LinearPerpetual" else row,
    )
    await desk.until(
        lambda: loaded(desk).get(LINEAR) is None or loaded(desk)[LINEAR].get_status() != "Trading"
    )
    desk.order("1")
    await desk.wait("on_new_order_reject", client_id="1", reject_code=GtwRejectCode.MarketClosed)
    await desk.resting("2", SPOT)


@card("BY-I07")
async def test_hedge_mode() -> None:
    """An account in hedge mode is refused at start, saying so."""
    stage = Stage.of_all_products()
    desk = Desk(stage)

    def in_legs(message: Json) -> list[Json]:
        rows = [
            row | {"positionIdx": leg, "side": side}
            for row in message["result"]["list"]
            for leg, side in ((1, "Buy"), (2, "Sell"))
        ]
        return [message | {"result": message["result"] | {"list": rows}}]

    desk.wire.to_client["/v5/position/list"] = in_legs
    try:
        with pytest.raises(VenueError, match="hedge"):
            await desk.open()
    finally:
        await desk.close()


@card("BY-I08")
async def test_places() -> None:
    """Mainnet, testnet and demo trading are named in one word; demo trading takes orders by REST."""
    hosts = {place: BybitConfig.at(place).rest_url for place in ("mainnet", "testnet", "demo")}
    assert hosts == {
        "mainnet": "https://api.bybit.com",
        "testnet": "https://api-testnet.bybit.com",
        "demo": "https://api-demo.bybit.com",
    }
    assert (BybitConfig.at("demo").order_entry, BybitConfig.at("mainnet").order_entry) == (
        "rest",
        "websocket",
    )
    with pytest.raises(ConfigError, match="expected one of mainnet, testnet, demo"):
        BybitConfig.at("moon")


@card("BY-I09")
async def test_secrets(open_desk: OpenDesk, caplog: pytest.LogCaptureFixture) -> None:
    """Key and secret are never shown: not in logs, errors or what is told, through orders, gaps and refusals."""
    caplog.set_level(logging.DEBUG)
    desk = await open_desk(order_entry="rest")
    await desk.resting("1")
    desk.order("dear", price="60000", qty="90000")
    await desk.wait("on_new_order_reject", client_id="dear")
    for stream in ("private", "public"):
        desk.wire.cut(stream)
    await desk.wait("on_gateway_status", status=GtwStatus.Connecting)
    await desk.wait("on_gateway_status", status=GtwStatus.ReadyToTrade)
    with pytest.raises(VenueError) as wrong:
        await open_desk(api_secret="not-the-secret", ready_timeout_ms=2_000)
    config = BybitConfig.at("testnet", api_key=KEY, api_secret=SECRET)
    shown = [caplog.text, repr(config), repr(desk.calls), repr(wrong.value), *map(str, caplog.records)]
    assert "the venue answered 10004" in str(wrong.value)
    assert "reconciled: 1 open orders" in caplog.text
    for secret in (KEY, SECRET, "not-the-secret"):
        assert not [text for text in shown if secret in text]


@card("BY-I10")
async def test_a_wrong_key() -> None:
    """A key or secret that the venue does not accept ends the start with the venue's words, not with retries."""
    desk = Desk(Stage.of_all_products(), api_secret="wrong", ready_timeout_ms=2_000)
    try:
        with pytest.raises(VenueError, match=r"1000[34]"):
            await desk.open()
    finally:
        await desk.close()


# -- products -------------------------------------------------------------------------------------------------------


@card("BY-I20")
async def test_inverse(desk: Desk) -> None:
    """Inverse contracts are traded in contracts of one dollar, and margined and paid for in the coin."""
    desk.order("1", INVERSE, price="60000.5", qty="30000")
    fill = await desk.wait("on_order_execution", client_id="1")
    assert (fill.fill_qty, fill.leaves_qty) == (Qty("30000"), Qty("0"))
    await desk.wait("on_position_info", instrument_id=desk.id_of(INVERSE), position=Qty("30000"))
    (booked,) = desk.stage.exchange.fills(desk.stage.alice)
    assert booked.fee_coin == "BTC"
    balance = str(desk.stage.alice.wallet("BTC").balance)
    await desk.until(lambda: str(told_balance(desk, "BTC")) == balance, f"BTC: {balance}")


@card("BY-I21")
async def test_spot(desk: Desk) -> None:
    """A spot purchase moves two balances, and no position."""
    desk.order("1", SPOT, price="60000", qty="0.25")
    await desk.wait("on_order_execution", client_id="1", leaves_qty=Qty("0"))
    for coin in ("BTC", "USDT"):
        balance = str(desk.stage.alice.wallet(coin).balance)
        await desk.until(
            lambda coin=coin, balance=balance: str(told_balance(desk, coin)) == balance, f"{coin}: {balance}"
        )
    moved = [
        call.position for call in desk.named("on_position_info") if call.instrument_id == desk.id_of(SPOT)
    ]
    assert all(position == Qty("0") for position in moved)


@card("BY-I22")
async def test_spot_market_order(desk: Desk) -> None:
    """The quantity of a spot market order is in the base coin, for purchases too."""
    desk.order("1", SPOT, price=None, qty="0.25")
    fill = await desk.wait("on_order_execution", client_id="1", leaves_qty=Qty("0"))
    assert fill.fill_qty == Qty("0.25")
    (booked,) = desk.stage.exchange.fills(desk.stage.alice)
    assert booked.qty == Qty("0.25")


@card("BY-I23")
async def test_one_symbol_in_two_categories(desk: Desk) -> None:
    """Orders on BTCUSDT the contract and BTCUSDT the pair do not meet."""
    await desk.resting("1", LINEAR, price="59000", qty="0.1")
    await desk.resting("2", SPOT, price="59000", qty="0.2")
    desk.cancel("2", SPOT)
    await desk.wait("on_order_cancelled", client_id="2")
    (left,) = desk.stage.exchange.open_orders(desk.stage.alice)
    assert (left.symbol, left.qty) == ("BTCUSDT", Qty("0.1"))


@card("BY-I24")
async def test_market_data_without_a_key() -> None:
    """Market data needs no key."""
    stage = Stage.of_all_products()
    at = await stage.venue.start()
    config = BybitConfig(at.rest, at.ws_public, at.ws_private, at.ws_trade)
    connector = BybitConnector(config, time.time_ns)
    market_data = MarketData(Exchange.Bybit, connector.feed, Dispatcher(object()), time.time_ns)
    try:
        [contract] = await connector.load_instruments()
        await connector.feed.connect()
        market_data.subscribe(contract, frozenset({MDSub.PriceLevelBook}))
        await eventually(lambda: market_data.is_live, "the book is whole")
    finally:
        await connector.close()
        await stage.venue.close()


def told_balance(desk: Desk, coin: str) -> Qty:
    return [call.total_balance for call in desk.named("on_wallet_info") if call.coin == coin][-1]
