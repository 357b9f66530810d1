"""Instruments that change while a strategy runs: what it is told, and by which rules its orders are checked."""

from __future__ import annotations

from mlthon._core.market_event import DepthUpdate
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Exchange, FeedHandlerStatus, GtwRejectCode, OrderStatus
from mlthon.basics.price import Price
from mlthon.instruments.instrument_utils import InstrumentUtils

BYBIT = Exchange.Bybit


def changed(instrument, **changes):
    as_json = InstrumentUtils.get_json_from_instrument(instrument)
    return InstrumentUtils.get_instrument_from_json(as_json | changes)


def test_orders_are_checked_by_the_new_rules(bench, recorder):
    before = bench.instruments[0]
    bench.order("a1", price="100.1")
    request = bench.gateway.last_new()
    bench.gateway.report(request, status=OrderStatus.New)
    bench.env.update_instruments([changed(before, price_tick_rules="0.5")])
    (told,) = recorder.last("on_instruments")[1]
    assert told.get_price_tick_rules() == Price("0.5")
    asked = len(bench.gateway.asked)
    bench.order("a2", price="100.1")
    assert recorder.last("on_new_order_reject")[3] is GtwRejectCode.InvalidPrice
    bench.env.send_modify_order(BYBIT, "a1", "100.2", None)
    bench.env.dispatcher.deliver_waiting()
    assert recorder.last("on_modify_order_reject")[3] is GtwRejectCode.InvalidPrice
    assert len(bench.gateway.asked) == asked
    bench.order("a3", price="100.5")
    assert len(bench.gateway.asked) == asked + 1


def test_what_is_delisted_takes_no_new_orders_but_lets_the_old_ones_go(bench, recorder):
    bench.order("a1")
    bench.gateway.report(bench.gateway.last_new(), status=OrderStatus.New)
    bench.env.update_instruments([changed(bench.instruments[0], status="Closed")])
    bench.order("a2")
    _, _, client_id, code, reason = recorder.last("on_new_order_reject")
    assert (client_id, code) == ("a2", GtwRejectCode.MarketClosed)
    assert "byt:perp:BTC-USDT is not being traded: its status is Closed" in reason
    asked = len(bench.gateway.asked)
    bench.env.send_cancel_order(BYBIT, "byt:perp:BTC-USDT", "a1")
    assert len(bench.gateway.asked) == asked + 1


def test_a_stopped_strategy_is_told_at_its_next_start(bench, recorder):
    bench.env.session.stop()
    bench.env.send_stop_ack()
    recorder.seen.clear()
    bench.env.update_instruments([changed(bench.instruments[0], price_tick_rules="0.5")])
    assert recorder.seen == []
    bench.env.session.start()
    assert recorder.names().count("on_instruments") == 1
    assert recorder.last("on_instruments")[1][0].get_price_tick_rules() == Price("0.5")


def test_a_finer_tick_gives_finer_level_ids(make_bench, make_recorder):
    recorder = make_recorder()
    bench = make_bench(recorder)
    bench.env.subscribe_to_market_data(BYBIT, ["BTC-USDT"], [MDSub.LevelBook])
    bench.start()
    instrument, listener = bench.instruments[0], bench.feed.listener
    number = instrument.get_instrument_id()
    listener.on_stream_ready(number)
    listener.on_depth(number, DepthUpdate([("2", "1")], [("3", "1")], is_snapshot=True))
    recorder.seen.clear()
    bench.env.update_instruments([changed(instrument, price_tick_rules="0.00001", price_precision=5)])
    statuses = [seen[2] for seen in recorder.seen if seen[0] == "on_feed_handler_status"]
    assert statuses == [
        FeedHandlerStatus.Disconnected,
        FeedHandlerStatus.SnapshotStart,
        FeedHandlerStatus.SnapshotEnd,
    ]
    assert [seen[4] for seen in recorder.seen if seen[0] == "on_add_level"] == [200_000, 300_000]
    listener.on_depth(number, DepthUpdate([("2.00001", "1"), ("2.00002", "1")], []))
    assert [seen[4] for seen in recorder.seen if seen[0] == "on_add_level"][2:] == [200_001, 200_002]
    # What changes nothing about the ids disturbs no book.
    recorder.seen.clear()
    bench.env.update_instruments([changed(instrument, min_notional="7")])
    assert recorder.names() == ["on_instruments"]
