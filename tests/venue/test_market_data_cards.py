"""Cards BY-M: what a strategy is told about the market."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bybit_client import Json, Stage, perpetual
from card import card
from trading_desk import INVERSE, LINEAR, SPOT, SYMBOLS, Call, Desk

from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Exchange, FeedHandlerStatus, GtwRejectCode, InstrumentType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import ConfigError
from mlthon.exchanges.bybit import BybitConfig
from mlthon.instruments.spot import Spot

OpenDesk = Callable[..., Awaitable[Desk]]
BYBIT = Exchange.Bybit
START, END, LOST = (
    FeedHandlerStatus.SnapshotStart,
    FeedHandlerStatus.SnapshotEnd,
    FeedHandlerStatus.Disconnected,
)
BOOK_CALLS = ("on_add_price_level", "on_modify_price_level", "on_delete_price_level")


def statuses(desk: Desk) -> list[FeedHandlerStatus]:
    return [call.status for call in desk.named("on_feed_handler_status")]


def told_book(desk: Desk, instrument: str) -> dict[Side, dict[Price, Qty]]:
    """The book that the strategy has been told, by its callbacks alone."""
    book: dict[Side, dict[Price, Qty]] = {Side.Buy: {}, Side.Sell: {}}
    number = desk.id_of(instrument)
    for call in desk.calls:
        if call.name == "on_feed_handler_status" and call.status is START:
            for side in book.values():
                side.clear()
        elif call.name in BOOK_CALLS and call.instrument_id == number:
            if call.name == "on_add_price_level":
                assert call.price not in book[call.side]
                book[call.side][call.price] = call.qty
            elif call.name == "on_modify_price_level":
                assert call.price in book[call.side]
                book[call.side][call.price] = call.new_qty
            else:
                del book[call.side][call.price]
    return book


def shown_book(desk: Desk, instrument: str) -> dict[Side, dict[Price, Qty]]:
    """The book that the venue shows."""
    book = desk.stage.exchange.book(SYMBOLS[instrument])
    return {
        side: {level.get_price(): level.get_qty() for level in levels}
        for side, levels in ((Side.Buy, book.bids()), (Side.Sell, book.asks()))
    }


async def same_book(desk: Desk, instrument: str = LINEAR) -> None:
    await desk.until(lambda: told_book(desk, instrument) == shown_book(desk, instrument), "the venue's book")


async def whole_again(desk: Desk) -> Call:
    """Wait for a loss and what follows it; returns how the loss was told."""
    lost = await desk.wait("on_feed_handler_status", status=LOST)
    await desk.wait("on_feed_handler_status", status=START)
    await desk.wait("on_feed_handler_status", status=END)
    return lost


@pytest.fixture
async def books(open_desk: OpenDesk) -> Desk:
    """Subscribed to the price-level books of all products."""
    return await open_desk(subs=[MDSub.PriceLevelBook])


# -- what there is --------------------------------------------------------------------------------------------------


@card("BY-M01")
async def test_price_levels(books: Desk) -> None:
    """A book is told as SnapshotStart, every level, SnapshotEnd, and then its changes."""
    assert statuses(books) == [START, END]
    assert told_book(books, LINEAR) == shown_book(books, LINEAR)
    books.stage.depth([("60000.0", "9"), ("59999.9", "0"), ("59999.8", "1")], [])
    await books.wait("on_add_price_level", price=Price("59999.8"), qty=Qty("1"))
    await books.wait("on_modify_price_level", price=Price("60000"), new_qty=Qty("9"))
    await books.wait("on_delete_price_level", price=Price("59999.9"))
    assert told_book(books, LINEAR) == shown_book(books, LINEAR)


@card("BY-M02")
async def test_levels_with_ids(open_desk: OpenDesk) -> None:
    """Levels have ids that are made from their prices: ten thousand times the price."""
    desk = await open_desk(subs=[MDSub.LevelBook], instruments=[LINEAR])
    added = await desk.wait("on_add_level", side=Side.Buy, price=Price("59999.9"))
    assert added.level_id == 599_999_000
    desk.stage.depth([("59999.9", "8")], [])
    await desk.wait("on_modify_level", level_id=added.level_id, new_qty=Qty("8"))
    desk.stage.depth([("59999.9", "0")], [])
    await desk.wait("on_delete_level", level_id=added.level_id, side=Side.Buy)


@card("BY-M03")
async def test_best_levels(open_desk: OpenDesk) -> None:
    """The best levels are told when they change, and only then."""
    desk = await open_desk(subs=[MDSub.BBO], instruments=[LINEAR])
    await desk.wait("on_best_bid_level_update", price=Price("60000"), qty=Qty("2"))
    await desk.wait("on_best_ask_level_update", price=Price("60000.1"), qty=Qty("3"))
    desk.stage.depth([("59999.9", "8")], [])
    desk.stage.depth([("60000.0", "4")], [])
    await desk.wait("on_best_bid_level_update", price=Price("60000"), qty=Qty("4"))
    assert len(desk.named("on_best_bid_level_update")) == 2
    assert len(desk.named("on_best_ask_level_update")) == 1


@card("BY-M04")
async def test_public_trades(open_desk: OpenDesk) -> None:
    """Public trades are told with the taker's side, in the venue's order."""
    desk = await open_desk(subs=[MDSub.PublicTrades], instruments=[LINEAR])
    desk.stage.trade(Side.Sell, "60000.0", "0.3")
    desk.stage.trade(Side.Buy, "60000.1", "0.2")
    first, second = await desk.wait("on_public_trade"), await desk.wait("on_public_trade")
    assert (first.side, first.price, first.qty) == (Side.Sell, Price("60000"), Qty("0.3"))
    assert (second.side, second.price, second.qty) == (Side.Buy, Price("60000.1"), Qty("0.2"))


@card("BY-M05", unsupported="Bybit publishes no orders")
async def test_orders_one_by_one(desk: Desk) -> None:
    """A book can be had order by order."""
    desk.env.subscribe_to_market_data(BYBIT, [LINEAR], [MDSub.OrderBook])
    await desk.wait("on_unsupported_op", unsupported_msg_type="MarketData.OrderBook")


@card("BY-M06")
async def test_depths(open_desk: OpenDesk) -> None:
    """The depth is a setting: 1, 50, 200 or 1000 levels a side; another is refused by name."""
    for depth in (1, 200, 1000):
        stage = Stage.of_all_products()
        desk = await open_desk(stage, subs=[MDSub.PriceLevelBook], instruments=[LINEAR], depth=depth)
        levels = 1 if depth == 1 else 2
        assert [len(side) for side in told_book(desk, LINEAR).values()] == [levels, levels]
    with pytest.raises(ConfigError, match=r"depth: expected one of .*, got 25"):
        BybitConfig("http://a", "ws://a", "ws://a", "ws://a", depth=25)


@card("BY-M07")
async def test_categories_do_not_mix(books: Desk) -> None:
    """BTCUSDT the contract and BTCUSDT the pair have each their own book."""
    books.stage.depth([("59995", "1.5")], [], symbol="BTC/USDT")
    books.stage.depth([("59995.0", "2.5")], [])
    await books.wait("on_add_price_level", instrument_id=books.id_of(SPOT), qty=Qty("1.5"))
    await books.wait("on_add_price_level", instrument_id=books.id_of(LINEAR), qty=Qty("2.5"))
    for instrument in (LINEAR, INVERSE, SPOT):
        assert told_book(books, instrument) == shown_book(books, instrument)


@card("BY-M08")
async def test_unknown_instrument(desk: Desk) -> None:
    """Market data of an instrument that does not exist is refused, by name."""
    desk.env.subscribe_to_market_data(BYBIT, ["byt:perp:NONE-USDT"], [MDSub.BBO])
    reject = await desk.wait("on_request_reject", rejected_rqst_type="MarketData")
    assert reject.reject_code is GtwRejectCode.UnknownInstrument
    assert "NONE-USDT" in reject.detail


@card("BY-M09")
async def test_many_pairs(open_desk: OpenDesk) -> None:
    """Spot takes ten topics in one request: more of them are asked for in several."""
    coins = [f"C{number:02}" for number in range(12)]
    names = [f"byt:spot:{coin}-USDT" for coin in coins]
    desk = Desk(Stage(instruments=[perpetual(), *map(pair, coins)]), categories=("spot",), instruments=names)
    requests: list[Json] = []
    desk.wire.to_venue["public/spot"] = lambda message: [requests.append(message) or message]
    try:
        await desk.open()
        desk.env.subscribe_to_market_data(BYBIT, names, [MDSub.PublicTrades])
        await desk.until(lambda: sum(len(request.get("args", ())) for request in requests) == 12)
        assert all(len(request.get("args", ())) <= 10 for request in requests)
    finally:
        await desk.close()


# -- what goes wrong ------------------------------------------------------------------------------------------------


@card("BY-M10")
async def test_gap(books: Desk) -> None:
    """A message that is missing costs the book: Disconnected with the instrument's name, and all books told anew."""
    lose_next(books, "public/linear")
    books.stage.depth([("59999.7", "1")], [])
    books.stage.depth([("59999.6", "1")], [])
    lost = await whole_again(books)
    assert LINEAR in lost.detail
    for instrument in (LINEAR, INVERSE, SPOT):
        await same_book(books, instrument)
    assert statuses(books) == [START, END, LOST, START, END]


@card("BY-M11")
async def test_service_restart(books: Desk) -> None:
    """A snapshot numbered one, as after a restart of the venue's service, is taken for what it is, at any time."""
    books.stage.venue.restart(drop_connections=False)
    books.stage.depth([("59999.7", "1")], [])
    await same_book(books)
    assert books.wire.opened["public/linear"] == 1


@card("BY-M12")
async def test_lost_connection(books: Desk) -> None:
    """A lost connection is told as Disconnected; it is made anew, and all books are whole again."""
    books.wire.cut("public/linear")
    await whole_again(books)
    books.stage.depth([("59999.7", "1")], [])
    await same_book(books)


@card("BY-M13")
async def test_stale_feed(open_desk: OpenDesk) -> None:
    """Market data that lags behind the venue's own clock is not traded on: the connection is made anew."""
    desk = await open_desk(subs=[MDSub.PriceLevelBook], instruments=[LINEAR], stale_after_ms=2_000)

    def age(message: Json) -> list[Json]:
        return [message | {"ts": message["ts"] - 5_000}] if "ts" in message else [message]

    desk.wire.to_client["public/linear"] = age
    desk.stage.depth([("59999.7", "1")], [])
    await desk.wait("on_feed_handler_status", status=LOST)
    del desk.wire.to_client["public/linear"]
    await desk.wait("on_feed_handler_status", status=END)
    await same_book(desk)


@card("BY-M14")
async def test_silent_book(open_desk: OpenDesk) -> None:
    """A book that falls silent is fetched anew."""
    desk = await open_desk(subs=[MDSub.PriceLevelBook], instruments=[LINEAR], silent_after_ms=100)
    asked: list[Json] = []

    def note(message: Json) -> list[Json]:
        asked.append(message)
        return [message]

    desk.wire.to_venue["public/linear"] = note
    await desk.until(lambda: any(message["op"] == "subscribe" for message in asked), "another subscription")


@card("BY-M15")
async def test_crossed_book(books: Desk) -> None:
    """A book that crosses at the end of a message is not told, and is fetched anew."""
    changes = change_next(books, "public/linear", lambda data: data["b"].append(["60500.0", "1.000"]))
    books.stage.depth([("59999.7", "1")], [])
    lost = await whole_again(books)
    assert changes == [1]
    assert LINEAR in lost.detail
    assert not [call for call in books.named("on_add_price_level") if call.price == Price("60500")]
    await same_book(books)


@card("BY-M16")
async def test_absent_price(books: Desk) -> None:
    """Deleting a price that is not there changes nothing, and costs nothing."""
    change_next(books, "public/linear", lambda data: data["b"].append(["41000.0", "0"]))
    books.stage.depth([("59999.7", "1")], [])
    await same_book(books)
    assert statuses(books) == [START, END]
    assert not [call for call in books.calls if call.arguments.get("price") == Price("41000")]


@card("BY-M17")
async def test_message_of_nonsense(books: Desk) -> None:
    """A book message that cannot be decoded costs that book, and the next snapshot mends it."""
    change_next(books, "public/linear", lambda data: data["b"].append(["sixty thousand", "1"]))
    books.stage.depth([("59999.7", "1")], [])
    lost = await whole_again(books)
    assert LINEAR in lost.detail
    await same_book(books)


@card("BY-M18")
async def test_repeated_message(books: Desk) -> None:
    """A book message that comes twice does not change the book twice: it counts as a gap."""
    books.wire.to_client["public/linear"] = lambda message: (
        [message, message] if is_delta(message) else [message]
    )
    books.stage.depth([("59999.7", "1")], [])
    await books.wait("on_feed_handler_status", status=LOST)
    del books.wire.to_client["public/linear"]
    await books.wait("on_feed_handler_status", status=END)
    await same_book(books)


@card("BY-M19")
async def test_healthy_books_go_on(books: Desk) -> None:
    """While one book is lost the others are kept up to date, and are told whole with it."""
    held = books.wire.hold("public/linear")
    books.wire.cut("public/linear")
    await books.wait("on_feed_handler_status", status=LOST)
    books.stage.depth([("59995", "1.5")], [], symbol="BTC/USDT")
    await books.until(lambda: any("topic" in message for message in held), "a snapshot")
    await books.wire.release("public/linear", held)
    await books.wait("on_feed_handler_status", status=END)
    await same_book(books, SPOT)
    await same_book(books, LINEAR)


def pair(coin: str) -> Spot:
    """A spot pair of a coin and USDT, by the rules of the stage's own."""
    return Spot(
        exchange=BYBIT,
        instrument_type=InstrumentType.Spot,
        exch_instr_id=f"{coin}USDT",
        mlt_symbol=f"{coin}-USDT",
        base_currency=coin,
        quote_currency="USDT",
        price_tick_rules="0.01",
        quantity_tick_rules="0.001",
        min_quantity="0.001",
        price_precision=2,
        quantity_precision=3,
        multiplier="1",
        quantification="base",
    )


def is_delta(message: Json) -> bool:
    return message.get("type") == "delta" and message["topic"].startswith("orderbook")


def lose_next(desk: Desk, channel: str) -> None:
    """Let the next change of a book on this channel get lost."""

    def lose(message: Json) -> list[Json]:
        if not is_delta(message):
            return [message]
        del desk.wire.to_client[channel]
        return []

    desk.wire.to_client[channel] = lose


def change_next(desk: Desk, channel: str, change: Callable[[Json], Any]) -> list[int]:
    """Change the next change of a book on this channel; the list tells when it has happened."""
    happened: list[int] = []

    def meddle(message: Json) -> list[Json]:
        if is_delta(message) and not happened:
            happened.append(1)
            change(message["data"])
        return [message]

    desk.wire.to_client[channel] = meddle
    return happened
