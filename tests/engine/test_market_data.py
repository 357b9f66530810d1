"""Books of one exchange are live together or not at all."""

from __future__ import annotations

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Exchange, FeedHandlerStatus, GtwRejectCode, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

BYBIT = Exchange.Bybit
SYMBOLS = ("BTC-USDT", "ETH-USDT")


def subscribed(make_bench, make_recorder, *subs, symbols=SYMBOLS, confirm=True):
    recorder = make_recorder()
    bench = make_bench(recorder, symbols)
    bench.env.subscribe_to_market_data(BYBIT, list(symbols), list(subs))
    bench.start()
    recorder.seen.clear()
    if confirm:
        for instrument in bench.instruments:
            bench.feed.listener.on_stream_ready(instrument.get_instrument_id())
    return bench, recorder, [instrument.get_instrument_id() for instrument in bench.instruments]


def snapshot(bids, asks):
    return DepthUpdate(bids, asks, is_snapshot=True, recv_ns=5_000_000)


def statuses(recorder):
    return [seen[2] for seen in recorder.seen if seen[0] == "on_feed_handler_status"]


def test_a_snapshot_is_announced_when_all_books_are_there(make_bench, make_recorder):
    bench, recorder, (btc, eth) = subscribed(make_bench, make_recorder, MDSub.PriceLevelBook)
    bench.feed.listener.on_depth(btc, snapshot([("100", "1"), ("99", "2")], [("101", "3")]))
    assert recorder.seen == []
    bench.feed.listener.on_depth(eth, snapshot([("10", "1")], []))
    assert recorder.names() == [
        "on_feed_handler_status",
        *["on_add_price_level"] * 4,
        "on_feed_handler_status",
    ]
    assert statuses(recorder) == [FeedHandlerStatus.SnapshotStart, FeedHandlerStatus.SnapshotEnd]
    assert recorder.seen[1][1:6] == (BYBIT, btc, Side.Buy, Price("100"), Qty("1"))


def test_increments_are_adds_modifies_and_deletes(make_bench, make_recorder):
    bench, recorder, (btc,) = subscribed(
        make_bench, make_recorder, MDSub.PriceLevelBook, MDSub.LevelBook, MDSub.BBO, symbols=SYMBOLS[:1]
    )
    bench.feed.listener.on_depth(btc, snapshot([("100", "1")], [("101", "3")]))
    recorder.seen.clear()
    update = DepthUpdate([("100", "0"), ("99.5", "4")], [("101", "2"), ("105", "0")], recv_ns=7_000_000)
    assert bench.feed.listener.on_depth(btc, update) is True
    assert recorder.seen == [
        ("on_delete_price_level", BYBIT, btc, Side.Buy, Price("100"), 7),
        ("on_delete_level", BYBIT, btc, Side.Buy, 1_000_000, 7),
        ("on_add_price_level", BYBIT, btc, Side.Buy, Price("99.5"), Qty("4"), 7),
        ("on_add_level", BYBIT, btc, Side.Buy, 995_000, Price("99.5"), Qty("4"), 7),
        ("on_modify_price_level", BYBIT, btc, Side.Sell, Price("101"), Qty("2"), 7),
        ("on_modify_level", BYBIT, btc, Side.Sell, 1_010_000, Qty("2"), 7),
        ("on_best_bid_level_update", BYBIT, btc, Price("99.5"), Qty("4"), 7),
        ("on_best_ask_level_update", BYBIT, btc, Price("101"), Qty("2"), 7),
    ]


def test_the_best_levels_are_told_on_change_only(make_bench, make_recorder):
    bench, recorder, (btc,) = subscribed(make_bench, make_recorder, MDSub.BBO, symbols=SYMBOLS[:1])
    listener = bench.feed.listener
    listener.on_depth(btc, snapshot([("100", "1")], [("101", "3")]))
    recorder.seen.clear()
    listener.on_depth(btc, DepthUpdate([("98", "4")], []))
    assert recorder.seen == []
    listener.on_depth(btc, DepthUpdate([("100", "0"), ("98", "0")], []))
    assert recorder.seen == [("on_best_bid_level_update", BYBIT, btc, Price("0"), Qty("0"), 0)]


def test_losing_one_book_replays_the_healthy_ones(make_bench, make_recorder):
    bench, recorder, (btc, eth) = subscribed(make_bench, make_recorder, MDSub.PriceLevelBook)
    listener = bench.feed.listener
    listener.on_depth(btc, snapshot([("100", "1")], []))
    listener.on_depth(eth, snapshot([("10", "1")], []))
    recorder.seen.clear()
    listener.on_book_lost(btc, "gap")
    assert recorder.seen == [
        ("on_feed_handler_status", BYBIT, FeedHandlerStatus.Disconnected, "byt:perp:BTC-USDT")
    ]
    listener.on_depth(btc, DepthUpdate([("99", "1")], []))  # not trusted: the book waits for its snapshot
    listener.on_depth(eth, DepthUpdate([("9", "5")], []))  # applied, but nobody is told yet
    assert len(recorder.seen) == 1
    listener.on_depth(btc, snapshot([("101", "2")], []))
    adds = [(seen[2], str(seen[4])) for seen in recorder.seen if seen[0] == "on_add_price_level"]
    assert adds == [(btc, "101.00000000"), (eth, "10.00000000"), (eth, "9.00000000")]


def test_a_lost_connection_takes_its_own_books_only(make_bench, make_recorder):
    bench, recorder, (btc, eth) = subscribed(make_bench, make_recorder, MDSub.PriceLevelBook)
    listener = bench.feed.listener
    listener.on_depth(btc, snapshot([("100", "1")], []))
    listener.on_depth(eth, snapshot([("10", "1")], []))
    recorder.seen.clear()
    listener.on_feed_lost("line cut", [eth])
    assert recorder.seen == [("on_feed_handler_status", BYBIT, FeedHandlerStatus.Disconnected, "line cut")]
    listener.on_depth(btc, DepthUpdate([("99", "1")], []))  # goes on, but nobody is told yet
    listener.on_depth(eth, snapshot([("11", "1")], []))
    assert len(recorder.seen) == 1
    listener.on_stream_ready(eth)
    adds = [(seen[2], str(seen[4])) for seen in recorder.seen if seen[0] == "on_add_price_level"]
    assert adds == [(btc, "100.00000000"), (btc, "99.00000000"), (eth, "11.00000000")]


def test_trades_alone_are_live_again_once_the_venue_confirms_them(make_bench, make_recorder):
    bench, recorder, (btc, _) = subscribed(make_bench, make_recorder, MDSub.PublicTrades)
    listener = bench.feed.listener
    assert bench.env.feeds[BYBIT].is_live
    listener.on_feed_lost("line cut", [btc])
    assert not bench.env.feeds[BYBIT].is_live
    listener.on_stream_ready(btc)
    assert bench.env.feeds[BYBIT].is_live
    assert statuses(recorder)[-3:] == [
        FeedHandlerStatus.Disconnected,
        FeedHandlerStatus.SnapshotStart,
        FeedHandlerStatus.SnapshotEnd,
    ]


def test_a_crossed_book_asks_for_a_resync(make_bench, make_recorder):
    bench, recorder, (btc,) = subscribed(make_bench, make_recorder, MDSub.PriceLevelBook, symbols=SYMBOLS[:1])
    listener = bench.feed.listener
    listener.on_depth(btc, snapshot([("100", "1")], [("101", "1")]))
    recorder.seen.clear()
    assert listener.on_depth(btc, DepthUpdate([("101", "1")], [])) is False
    assert statuses(recorder) == [FeedHandlerStatus.Disconnected]
    # A message that crosses midway and is sound at its end is no reason to resync.
    listener.on_depth(btc, snapshot([("100", "1")], [("101", "1")]))
    assert listener.on_depth(btc, DepthUpdate([("101", "1")], [("101", "0"), ("102", "1")])) is True


def test_a_new_snapshot_resets_the_book(make_bench, make_recorder):
    bench, recorder, (btc,) = subscribed(make_bench, make_recorder, MDSub.PriceLevelBook, symbols=SYMBOLS[:1])
    listener = bench.feed.listener
    listener.on_depth(btc, snapshot([("100", "1")], [("101", "1")]))
    recorder.seen.clear()
    listener.on_depth(btc, snapshot([("90", "1")], []))
    assert statuses(recorder) == [
        FeedHandlerStatus.Disconnected,
        FeedHandlerStatus.SnapshotStart,
        FeedHandlerStatus.SnapshotEnd,
    ]
    assert [str(level.get_price()) for level in bench.env.feeds[BYBIT].book(bench.instruments[0]).bids()] == [
        "90.00000000"
    ]


def test_a_refused_subscription_does_not_hold_back_the_others(make_bench, make_recorder):
    bench, recorder, (btc, eth) = subscribed(make_bench, make_recorder, MDSub.BBO)
    listener = bench.feed.listener
    listener.on_depth(btc, snapshot([("100", "1")], []))
    listener.on_subscribe_refused(eth, GtwRejectCode.UnknownInstrument, "no such topic")
    assert recorder.names()[0] == "on_request_reject"
    assert statuses(recorder) == [FeedHandlerStatus.SnapshotStart, FeedHandlerStatus.SnapshotEnd]


def test_trades_alone_are_live_once_confirmed(make_bench, make_recorder):
    bench, recorder, (btc,) = subscribed(
        make_bench, make_recorder, MDSub.PublicTrades, symbols=SYMBOLS[:1], confirm=False
    )
    assert recorder.seen == []
    bench.feed.listener.on_stream_ready(btc)
    trade = PublicTrade(Side.Sell, "100", "2", venue_ns=3_000_000, recv_ns=4_000_000)
    bench.feed.listener.on_trades(btc, [trade])
    assert recorder.seen[-1] == ("on_public_trade", BYBIT, btc, Side.Sell, Price("100"), Qty("2"), 3, 4)
    assert statuses(recorder) == [FeedHandlerStatus.SnapshotStart, FeedHandlerStatus.SnapshotEnd]


def test_unpublished_data_is_an_unsupported_operation(make_bench, make_recorder):
    bench, recorder, _ids = subscribed(make_bench, make_recorder, MDSub.BBO, symbols=SYMBOLS[:1])
    bench.env.subscribe_to_market_data(BYBIT, ["BTC-USDT"], [MDSub.OrderBook])
    bench.env.dispatcher.deliver_waiting()
    assert recorder.last("on_unsupported_op") == ("on_unsupported_op", BYBIT, "MarketData.OrderBook")


def test_a_strategy_that_asks_for_nothing_gets_what_it_listens_to(make_bench):
    class Quiet:
        def on_framework_connected(self, env):
            env.login("quiet")

        def on_public_trade(self, *args):
            pass

    bench = make_bench(Quiet()).start()
    assert bench.feed.subscribed == [("byt:perp:BTC-USDT", frozenset({MDSub.PublicTrades}))]


def test_subscribing_to_more_of_a_live_book_tells_it_anew(make_bench, make_recorder):
    bench, recorder, (btc,) = subscribed(make_bench, make_recorder, MDSub.PriceLevelBook, symbols=SYMBOLS[:1])
    listener = bench.feed.listener
    listener.on_depth(btc, snapshot([("100", "1")], [("101", "1")]))
    recorder.seen.clear()
    bench.env.subscribe_to_market_data(BYBIT, ["BTC-USDT"], [MDSub.LevelBook, MDSub.BBO])
    assert statuses(recorder) == [FeedHandlerStatus.Disconnected]
    listener.on_stream_ready(btc)  # the venue's topic is subscribed already: no other snapshot comes
    assert statuses(recorder)[1:] == [FeedHandlerStatus.SnapshotStart, FeedHandlerStatus.SnapshotEnd]
    assert recorder.names().count("on_add_level") == 2
    recorder.seen.clear()
    listener.on_depth(btc, DepthUpdate([("100", "2")], []))
    assert recorder.names() == ["on_modify_price_level", "on_modify_level", "on_best_bid_level_update"]


def test_levels_on_top_of_best_levels_wait_for_the_deep_book(make_bench, make_recorder):
    bench, recorder, (btc,) = subscribed(make_bench, make_recorder, MDSub.BBO, symbols=SYMBOLS[:1])
    listener = bench.feed.listener
    listener.on_depth(btc, snapshot([("100", "1")], [("101", "1")]))
    bench.env.subscribe_to_market_data(BYBIT, ["BTC-USDT"], [MDSub.PriceLevelBook])
    listener.on_stream_ready(btc)
    assert not bench.env.feeds[BYBIT].is_live
    listener.on_depth(btc, snapshot([("100", "1"), ("99", "1")], [("101", "1")]))
    assert bench.env.feeds[BYBIT].is_live
    assert recorder.names().count("on_add_price_level") == 3


def test_trades_may_be_added_without_disturbing_the_book(make_bench, make_recorder):
    bench, recorder, (btc,) = subscribed(make_bench, make_recorder, MDSub.BBO, symbols=SYMBOLS[:1])
    bench.feed.listener.on_depth(btc, snapshot([("100", "1")], [("101", "1")]))
    recorder.seen.clear()
    bench.env.subscribe_to_market_data(BYBIT, ["BTC-USDT"], [MDSub.PublicTrades])
    bench.feed.listener.on_trades(btc, [PublicTrade(Side.Sell, "100", "2")])
    assert recorder.names() == ["on_public_trade"]
