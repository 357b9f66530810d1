"""The Bybit codec on messages as they should be: the venue's documented ones, recorded ones, and our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from bybit_messages import (
    NOW_MS,
    RECV_NS,
    book_frame,
    by_symbol,
    encoded,
    fill_row,
    instrument_row,
    make_instruments,
    order_row,
    private_frame,
    trades_frame,
    wallet_row,
)

from mlthon.basics.defs import (
    TIF,
    CancelCode,
    Exchange,
    ExecInstructions,
    GtwRejectCode,
    OrderStatus,
    OrderType,
    Side,
)
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import CancelOrderRequest, ModifyOrderRequest, NewOrderRequest
from mlthon.exchanges.bybit.codec.account import (
    Balance,
    decode_balances,
    decode_funding,
    decode_position,
    decode_user_id,
)
from mlthon.exchanges.bybit.codec.fields import Ack, Pong, Unknown, rows
from mlthon.exchanges.bybit.codec.orders import decode_fill, decode_order, is_fill
from mlthon.exchanges.bybit.codec.private import Fills, Login, Orders, Positions, Wallets, decode_private
from mlthon.exchanges.bybit.codec.public import BookFrame, TradesFrame, decode_public
from mlthon.exchanges.bybit.codec.rest import decode_envelope, next_cursor
from mlthon.exchanges.bybit.codec.trade import (
    RateLimit,
    TradeAnswer,
    amend_fields,
    batch_fields,
    cancel_fields,
    create_fields,
    decode_trade,
    encode_request,
)
from mlthon.exchanges.bybit.instruments import Instruments, decode_instruments

BTC = make_instruments()["BTCUSDT"]
SYMBOLS = by_symbol(
    make_instruments(
        instrument_row(),
        instrument_row("ETHUSDT", "ETH", "0.01", "0.01"),
        instrument_row("SOLUSDT", "SOL", "0.01", "0.1"),
        instrument_row("LTCUSDT", "LTC", "0.01", "0.1"),
    )
)


def sample(captures: Path, name: str) -> bytes:
    return (captures / "bybit" / "v5-messages" / name).read_bytes()


def rest_rows(captures: Path, name: str) -> list[dict[str, object]]:
    envelope = decode_envelope(sample(captures, name), name)
    assert envelope.code == 0
    return rows(envelope.result, "list", name)


# -- public ------------------------------------------------------------------------------------------------------


def test_a_book_message_is_decoded_whole() -> None:
    frame = decode_public(encoded(book_frame(9, [["50000.0", "1.5"]], [["50000.1", "0"]])), RECV_NS)
    assert isinstance(frame, BookFrame)
    assert (frame.topic, frame.update_id, frame.sent_ms) == ("orderbook.50.BTCUSDT", 9, NOW_MS)
    update = frame.update
    assert update.bids() == [(Price("50000"), Qty("1.5"))]
    assert update.asks() == [(Price("50000.1"), Qty("0"))]
    assert not update.is_snapshot
    assert (update.seq, update.venue_ns, update.recv_ns) == (7_009, (NOW_MS - 3) * 10**6, RECV_NS)


def test_the_first_number_after_a_restart_is_a_snapshot_whatever_its_label() -> None:
    frame = decode_public(encoded(book_frame(1, [], [], kind="delta")), RECV_NS)
    assert isinstance(frame, BookFrame)
    assert frame.update.is_snapshot


def test_without_a_matching_engine_stamp_the_sending_stamp_counts() -> None:
    message = book_frame(5, [], [])
    del message["cts"]
    frame = decode_public(encoded(message), RECV_NS)
    assert isinstance(frame, BookFrame)
    assert frame.update.venue_ns == NOW_MS * 10**6


def test_trades_keep_their_order_and_side() -> None:
    frame = decode_public(encoded(trades_frame(("Buy", "50000.1", "0.2"), ("Sell", "50000", "0.3"))), RECV_NS)
    assert isinstance(frame, TradesFrame)
    assert [(t.taker_side, t.price, t.qty, t.trade_id) for t in frame.trades] == [
        (Side.Buy, Price("50000.1"), Qty("0.2"), "id-0"),
        (Side.Sell, Price("50000"), Qty("0.3"), "id-1"),
    ]


def test_answers_on_the_public_stream(captures: Path) -> None:
    assert decode_public(sample(captures, "ws_subscription_ack.json"), 0) == Ack(
        "subscribe", True, "", "sub-orderbook-1"
    )
    failure = decode_public(sample(captures, "ws_subscription_failure.json"), 0)
    assert failure == Ack("subscribe", False, "Invalid topic: invalid.topic.BTCUSDT", "")
    assert decode_public(b'{"success":true,"ret_msg":"pong","conn_id":"c","op":"ping"}', 0) == Pong()
    assert decode_public(b'{"op":"pong","args":["1"],"conn_id":"c"}', 0) == Pong()


def test_documented_public_messages(captures: Path) -> None:
    snapshot = decode_public(sample(captures, "ws_orderbook_snapshot.json"), 0)
    delta = decode_public(sample(captures, "ws_orderbook_delta.json"), 0)
    assert isinstance(snapshot, BookFrame)
    assert isinstance(delta, BookFrame)
    assert snapshot.update.is_snapshot
    assert len(snapshot.update) == 4
    assert delta.update_id == snapshot.update_id + 1
    # Topics we do not ask for are named and left alone; so is the trades topic of an older generation.
    assert decode_public(sample(captures, "ws_kline.json"), 0) == Unknown("kline.5.BTCUSDT")
    assert decode_public(sample(captures, "ws_ticker_linear.json"), 0) == Unknown("tickers.BTCUSDT")
    assert decode_public(sample(captures, "ws_public_trade.json"), 0) == Unknown("trade.linear.BTCUSDT")


def test_a_recorded_stream_is_continuous(captures: Path) -> None:
    lines = (captures / "bybit" / "2024-12-01_XRPUSDT_ob500.jsonl").read_bytes().splitlines()
    frames = [decode_public(line, RECV_NS) for line in lines]
    assert len(frames) == 50
    assert all(isinstance(frame, BookFrame) for frame in frames)
    numbers = [frame.update_id for frame in frames if isinstance(frame, BookFrame)]
    assert numbers == list(range(numbers[0], numbers[0] + 50))
    for line, frame in zip(lines, frames, strict=True):
        data = orjson.loads(line)["data"]
        assert isinstance(frame, BookFrame)
        assert frame.update.bids() == [(Price(price), Qty(qty)) for price, qty in data["b"]]
        assert frame.update.asks() == [(Price(price), Qty(qty)) for price, qty in data["a"]]


# -- orders ------------------------------------------------------------------------------------------------------


def test_an_open_order() -> None:
    report = decode_order(order_row("a1", cumExecQty="0.004", orderStatus="PartiallyFilled"), BTC, 5, "t")
    assert (report.wire_id, report.exchange_id) == ("a1", "venue-a1")
    assert (report.side, report.price, report.qty) == (Side.Buy, Price("50000"), Qty("0.01"))
    assert (report.cum_qty, report.leaves_qty) == (Qty("0.004"), Qty("0.006"))
    assert report.status is OrderStatus.PartiallyFilled
    assert (report.order_type, report.tif, report.exec_instr) == (
        OrderType.Limit,
        TIF.GTC,
        ExecInstructions.Unset,
    )
    assert (report.venue_ms, report.recv_ms, report.reason) == (NOW_MS, 5, "")


@pytest.mark.parametrize(
    ("cancel_type", "why", "code"),
    [
        ("CancelByUser", "EC_PerCancelRequest", CancelCode.CanceledByUser),
        ("CancelBySmp", "EC_NoError", CancelCode.SelfTradePrevention),
        ("UNKNOWN", "EC_BySelfMatch", CancelCode.SelfTradePrevention),
        ("UNKNOWN", "EC_NoImmediateQtyToFill", CancelCode.Unset),
        ("CancelByReduceOnly", "EC_NoError", CancelCode.Unset),
    ],
)
def test_why_an_order_was_cancelled(cancel_type: str, why: str, code: CancelCode) -> None:
    row = order_row("a1", orderStatus="Cancelled", cancelType=cancel_type, rejectReason=why, leavesQty="")
    report = decode_order(row, BTC, 0, "t")
    assert report.status is OrderStatus.Cancelled
    assert report.cancel_code is code
    assert report.reason == "/".join(
        word for word in (cancel_type, why) if word not in ("UNKNOWN", "EC_NoError")
    )
    assert report.leaves_qty == Qty("0")


def test_a_post_only_order_that_would_cross_is_rejected_not_cancelled() -> None:
    row = order_row(
        "a1", timeInForce="PostOnly", orderStatus="Cancelled", rejectReason="EC_PostOnlyWillTakeLiquidity"
    )
    report = decode_order(row, BTC, 0, "t")
    assert report.status is OrderStatus.Rejected
    assert report.reject_code is GtwRejectCode.PostOnlyWouldCross
    assert report.exec_instr is ExecInstructions.PostOnly


def test_an_order_that_traded_is_never_rejected(captures: Path) -> None:
    row = rest_rows(captures, "http_get_order_partially_filled_rejected.json")[0]
    report = decode_order(row, BTC, 0, "t")
    assert (report.status, report.cum_qty) == (OrderStatus.Cancelled, Qty("0.005"))
    assert report.reason == "INSUFFICIENT_MARGIN"


def test_documented_order_messages(captures: Path) -> None:
    statuses = {}
    for path in sorted((captures / "bybit" / "v5-messages").glob("ws_account_order*.json")):
        frame = decode_private(path.read_bytes(), RECV_NS, SYMBOLS)
        assert isinstance(frame, Orders)
        statuses[path.stem.removeprefix("ws_account_order")] = [report.status for report in frame.reports]
        if not frame.reports:
            assert frame.foreign == 1
    assert statuses[""] == [OrderStatus.Cancelled]
    assert statuses["_filled"] == [OrderStatus.Filled]
    assert statuses["_partially_filled_rejected"] == []  # a spot order: not ours
    assert statuses["_stop_market"] == [
        OrderStatus.New
    ]  # conditional orders are open, though not in the book
    assert len(statuses) >= 10


@pytest.mark.parametrize(
    "name",
    [
        "http_get_orders_realtime.json",
        "http_get_orders_realtime_tp_sl.json",
        "http_get_orders_history.json",
        "http_get_orders_history_with_duplicate.json",
    ],
)
def test_documented_order_answers(captures: Path, name: str) -> None:
    found = [
        decode_order(row, SYMBOLS["linear", str(row["symbol"])], 0, name) for row in rest_rows(captures, name)
    ]
    assert found
    assert all(report.exchange_id and report.wire_id and report.qty > Qty("0") for report in found)


# -- executions --------------------------------------------------------------------------------------------------


def test_a_fill_keeps_every_digit(captures: Path) -> None:
    frame = decode_private(sample(captures, "ws_account_execution.json"), RECV_NS, SYMBOLS)
    assert isinstance(frame, Fills)
    (fill,) = frame.fills
    assert (fill.exec_id, fill.wire_id) == ("0ab1bdf7-4219-438b-b30a-32ec863018f7", "test-order-link-001")
    assert (fill.side, fill.price, fill.qty) == (Side.Sell, Price("95900.1"), Qty("0.5"))
    assert (fill.fee, fill.fee_currency, fill.is_maker) == (MLDecimal("26.3725275"), "USDT", False)
    assert (fill.exec_ms, fill.recv_ms) == (1746270400353, NOW_MS)


def test_a_deleveraging_is_a_fill_of_an_order_that_was_not_ours(captures: Path) -> None:
    frame = decode_private(sample(captures, "ws_account_execution_adl.json"), RECV_NS, SYMBOLS)
    assert isinstance(frame, Fills)
    assert [fill.wire_id for fill in frame.fills] == [""]


@pytest.mark.parametrize(
    "payment",
    [
        fill_row("e1", "a1", execType="Funding"),
        fill_row("e1", "", execType="Dividend"),
        fill_row("e1", "a1", execType="SomethingNew", execQty="0"),
        fill_row("e1", "a1", execType="SomethingNew", execPrice=""),
    ],
)
def test_a_payment_is_not_a_fill(payment: dict[str, Any]) -> None:
    message = private_frame("execution", payment, fill_row("e2", "a1"))
    frame = decode_private(encoded(message), RECV_NS, SYMBOLS)
    assert isinstance(frame, Fills)
    assert [fill.exec_id for fill in frame.fills] == ["e2"]
    assert (frame.payments, frame.forced, frame.odd) == (1, [], [])


def test_what_was_traded_for_an_order_is_a_fill_whatever_the_venue_calls_it() -> None:
    row = fill_row("e1", "a1", execType="SomethingNew")
    frame = decode_private(encoded(private_frame("execution", row)), RECV_NS, SYMBOLS)
    assert isinstance(frame, Fills)
    assert [(fill.exec_id, fill.wire_id) for fill in frame.fills] == [("e1", "a1")]
    assert frame.forced == ["SomethingNew: Buy 0.01000000 BTCUSDT at 50000.00000000"]


def test_documented_executions(captures: Path) -> None:
    found = rest_rows(captures, "http_get_executions.json")
    assert all(is_fill(row, "t") for row in found)
    fills = [decode_fill(row, SYMBOLS["linear", str(row["symbol"])], 0, "t") for row in found]
    assert [fill.is_maker for fill in fills] == [True, False]
    envelope = decode_envelope(sample(captures, "http_get_executions.json"), "t")
    assert next_cursor(envelope.result, "t") == "132766%3A2%2C132766%3A2"
    # The fast executions carry no fee, and are not subscribed.
    assert decode_private(sample(captures, "ws_account_execution_fast.json"), 0, SYMBOLS) == Unknown(
        "execution.fast"
    )


# -- account -----------------------------------------------------------------------------------------------------


def test_positions_are_signed(captures: Path) -> None:
    frame = decode_private(sample(captures, "ws_account_position_short.json"), 0, SYMBOLS)
    assert isinstance(frame, Positions)
    assert [(row.size, row.leg, row.seq) for row in frame.positions] == [(Qty("-0.01"), 0, 325852190774)]
    found = [
        decode_position(row, SYMBOLS["linear", str(row["symbol"])], "t")
        for row in rest_rows(captures, "http_get_positions.json")
    ]
    assert [row.size for row in found] == [Qty("0.5"), Qty("-5"), Qty("0")]
    bare = orjson.loads(sample(captures, "ws_account_position_with_open_time.json"))
    assert decode_position(bare, BTC, "t").size == Qty("0.1")
    opened = rest_rows(captures, "http_get_positions_with_open_time.json")
    assert decode_position(opened[0], SYMBOLS["linear", "LTCUSDT"], "t").size == Qty("1")


def test_what_is_available_is_what_nothing_holds(captures: Path) -> None:
    frame = decode_private(sample(captures, "ws_account_wallet.json"), 0, SYMBOLS)
    assert frame == Wallets(
        [
            Balance("BTC", Qty("0.00102964"), Qty("0.00092964")),
            Balance("USDT", Qty("9647.75537647"), Qty("9519.89806037")),
        ],
        [],
    )
    over = decode_private(sample(captures, "ws_account_wallet_locked_exceeds_total.json"), 0, SYMBOLS)
    assert over == Wallets([Balance("USDT", Qty("100"), Qty("0"))], [])
    small = decode_private(sample(captures, "ws_account_wallet_small_order.json"), 0, SYMBOLS)
    assert small == Wallets([Balance("USDT", Qty("51333.82543837"), Qty("51283.79743837"))], [])


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("http_get_wallet_balance.json", 3),
        ("http_get_wallet_balance_spot_short.json", 2),
        ("http_get_wallet_balance_with_spot_borrow.json", 1),
    ],
)
def test_documented_balances(captures: Path, name: str, count: int) -> None:
    balances, odd = decode_balances(rest_rows(captures, name), name)
    assert (len(balances), odd) == (count, [])


def test_a_balance_can_be_owed() -> None:
    ((balance,), _) = decode_balances([wallet_row(balance="-3.5")], "t")
    assert (balance.total, balance.available) == (Qty("-3.5"), Qty("0"))


def test_funding_and_identity(captures: Path) -> None:
    ticker = orjson.loads(sample(captures, "ws_ticker_linear.json"))["data"]
    assert decode_funding(ticker, "t") == (-0.000212, 1673280000000)
    key_info = decode_envelope(sample(captures, "http_get_user_query_api.json"), "t")
    assert decode_user_id(key_info.result, "t") == "1448939"


# -- logins and answers ------------------------------------------------------------------------------------------


def test_logins_in_both_spellings(captures: Path) -> None:
    assert decode_private(sample(captures, "ws_auth_success.json"), 0, SYMBOLS) == Login(True, 0, "")
    assert decode_trade(sample(captures, "ws_auth_failure.json")) == Login(False, 10003, "Invalid apikey")
    assert decode_trade(b'{"retCode":0,"retMsg":"OK","op":"auth","connId":"c"}') == Login(True, 0, "OK")
    assert decode_trade(b'{"retCode":20001,"retMsg":"again","op":"auth"}') == Login(False, 20001, "again")


def test_an_answer_to_a_request(captures: Path) -> None:
    assert decode_trade(sample(captures, "ws_order_response.json")) == TradeAnswer(
        "order-req-001", "order.create", 0, "OK", "1726025498520715008", None
    )
    header = {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "3", "X-Bapi-Limit-Reset-Timestamp": str(NOW_MS)}
    answer = {
        "reqId": "r",
        "op": "order.cancel",
        "retCode": 110001,
        "retMsg": "no",
        "data": {},
        "header": header,
    }
    assert decode_trade(encoded(answer)) == TradeAnswer(
        "r", "order.cancel", 110001, "no", "", RateLimit("order.cancel", 10, 3, NOW_MS)
    )
    # Rate headers are advice: a strange one must not cost the answer.
    answer["header"] = {"X-Bapi-Limit": "many", "X-Bapi-Limit-Status": [], "X-Bapi-Limit-Reset-Timestamp": -1}
    assert decode_trade(encoded(answer)) == TradeAnswer("r", "order.cancel", 110001, "no", "", None)


# -- requests ----------------------------------------------------------------------------------------------------


def new_order(**changes: object) -> NewOrderRequest:
    fields: dict[str, object] = {
        "wire_id": "w1",
        "instrument": BTC,
        "side": Side.Sell,
        "price": Price("50000.50"),
        "qty": Qty("0.010"),
        "order_type": OrderType.Limit,
        "tif": TIF.GTC,
        "exec_instr": ExecInstructions.Unset,
        "close_position": False,
    }
    return NewOrderRequest(**(fields | changes))  # type: ignore[arg-type]


def test_a_new_order_on_the_wire() -> None:
    assert orjson.loads(
        encode_request("order.create", "r1", str(NOW_MS), 5_000, create_fields(new_order()))
    ) == {
        "reqId": "r1",
        "header": {"X-BAPI-TIMESTAMP": str(NOW_MS), "X-BAPI-RECV-WINDOW": "5000"},
        "op": "order.create",
        "args": [
            {
                "category": "linear",
                "symbol": "BTCUSDT",
                "side": "Sell",
                "orderType": "Limit",
                "qty": "0.01",
                "price": "50000.5",
                "timeInForce": "GTC",
                "orderLinkId": "w1",
                "positionIdx": 0,
                "reduceOnly": False,
            }
        ],
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tif": TIF.IOC}, {"timeInForce": "IOC"}),
        ({"tif": TIF.FOK}, {"timeInForce": "FOK"}),
        ({"tif": TIF.Unset}, {"timeInForce": "GTC"}),
        ({"exec_instr": ExecInstructions.PostOnly}, {"timeInForce": "PostOnly"}),
        ({"close_position": True}, {"reduceOnly": True}),
        (
            {"price": None, "order_type": OrderType.Market, "tif": TIF.Unset},
            {"orderType": "Market", "timeInForce": "IOC"},
        ),
    ],
)
def test_kinds_of_new_orders(changes: dict[str, object], expected: dict[str, object]) -> None:
    sent = create_fields(new_order(**changes))
    assert {key: sent[key] for key in expected} == expected
    assert ("price" in sent) == (changes.get("order_type") is not OrderType.Market)


@pytest.mark.parametrize(
    "changes",
    [
        {"exec_instr": ExecInstructions.PostOnly, "tif": TIF.IOC},
        {"order_type": OrderType.Market},
        {"price": None},
        {"order_type": OrderType.Unset, "price": Price("1")},
    ],
)
def test_orders_the_venue_has_no_words_for(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        create_fields(new_order(**changes))


def test_amends_and_cancels_on_the_wire() -> None:
    order = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "w1"}
    amend = ModifyOrderRequest("w1", "v1", BTC, Price("49999.9"), None)
    assert amend_fields(amend) == order | {"price": "49999.9"}
    amend = ModifyOrderRequest("w1", "v1", BTC, None, Qty("2"))
    assert amend_fields(amend) == order | {"qty": "2"}
    assert cancel_fields(CancelOrderRequest("w1", "v1", BTC)) == order
    foreign = cancel_fields(CancelOrderRequest("", "v1", BTC))
    assert foreign == {"category": "linear", "symbol": "BTCUSDT", "orderId": "v1"}
    assert batch_fields([order, foreign]) == {
        "category": "linear",
        "request": [{"symbol": "BTCUSDT", "orderLinkId": "w1"}, {"symbol": "BTCUSDT", "orderId": "v1"}],
    }


# -- instruments -------------------------------------------------------------------------------------------------


def test_an_instrument_from_its_row() -> None:
    assert BTC.get_exchange() is Exchange.Bybit
    assert BTC.get_instrument_name() == "byt:perp:BTC-USDT"
    assert BTC.get_instrument_id() == 30000001000
    assert (BTC.get_price_tick_rules(), BTC.get_quantity_tick_rules()) == (Price("0.1"), Qty("0.001"))
    assert (BTC.get_price_precision(), BTC.get_quantity_precision()) == (1, 3)
    assert (BTC.get_min_quantity(), BTC.get_min_notional()) == (Qty("0.001"), MLDecimal("5"))
    assert (BTC.get_max_quantity(), BTC.get_multiplier()) == (Qty("1190"), MLDecimal("1"))
    assert BTC.get_valid_end_ts() is None


def test_documented_instruments(captures: Path) -> None:
    listing = decode_instruments(rest_rows(captures, "http_get_instruments_linear.json"), "linear")
    assert [i.get_mlt_symbol() for i in listing.instruments] == ["BTC-USDT", "ETH-USDT"]
    stock = decode_instruments(rest_rows(captures, "http_get_instruments_linear_symbol_type.json"), "linear")
    assert [i.get_mlt_symbol() for i in stock.instruments] == ["TSLA-USDT"]
    inverse = decode_instruments(rest_rows(captures, "http_get_instruments_inverse.json"), "inverse")
    (btc,) = inverse.instruments
    assert (btc.get_instrument_name(), btc.get_instrument_id()) == ("byt:perp:BTC-USD", 30000000000)
    assert (btc.get_quantification(), btc.get_multiplier(), btc.get_min_quantity()) == (
        "contracts",
        MLDecimal("1"),
        Qty("1"),
    )
    assert (btc.get_price_tick_rules(), btc.get_max_quantity(), btc.get_min_notional()) == (
        Price("0.5"),
        Qty("1000000"),
        None,
    )


def test_documented_spot_pairs(captures: Path) -> None:
    spot = decode_instruments(rest_rows(captures, "http_get_instruments_spot.json"), "spot")
    btc, eth = spot.instruments
    assert (btc.get_instrument_name(), btc.get_instrument_id()) == ("byt:spot:BTC-USDT", 30000002000)
    assert (eth.get_instrument_name(), eth.get_exch_instr_id()) == ("byt:spot:ETH-USDT", "ETHUSDT")
    assert (btc.get_quantity_tick_rules(), btc.get_min_quantity()) == (Qty("0.0001"), Qty("0.001"))
    assert (btc.get_max_quantity(), btc.get_min_notional()) == (Qty("100"), MLDecimal("10"))
    assert (btc.get_quantification(), btc.get_multiplier(), btc.get_status()) == (
        "base",
        MLDecimal("1"),
        "Trading",
    )
    stock = decode_instruments(rest_rows(captures, "http_get_instruments_spot_xstocks.json"), "spot")
    assert [i.get_mlt_symbol() for i in stock.instruments] == ["AAPL-USDT"]


def test_an_instrument_we_cannot_represent_is_refused_by_name_and_the_rest_load() -> None:
    bad_tick = instrument_row("TINYUSDT", "TINY", tick="0.0000000000000000001")
    no_lot = instrument_row("LOTUSDT", "LOT")
    del no_lot["lotSizeFilter"]["qtyStep"]
    zero = instrument_row("ZEROUSDT", "ZERO", tick="0")
    future = instrument_row("BTC-27DEC24") | {"contractType": "LinearFutures"}
    listing = decode_instruments([bad_tick, no_lot, {"symbol": 5}, zero, future, instrument_row()], "linear")
    assert [i.get_exch_instr_id() for i in listing.instruments] == ["BTCUSDT"]
    assert [line.partition(" refused")[0] for line in listing.refused] == [
        "instrument TINYUSDT (linear)",
        "instrument LOTUSDT (linear)",
        "linear list[2]",
        "instrument ZEROUSDT (linear)",
    ]
    assert listing.idle["TINYUSDT"] == "Refused"
    assert "BTC-27DEC24" not in listing.idle


def test_two_symbols_for_one_name_are_not_mixed_up() -> None:
    table = Instruments()
    table.add(make_instruments().values())
    table.add(decode_instruments([instrument_row("BTCPERP")], "linear").instruments)
    assert list(table.by_symbol) == [("linear", "BTCUSDT")]
    assert table.settle_coins("linear") == ["USDT"]
