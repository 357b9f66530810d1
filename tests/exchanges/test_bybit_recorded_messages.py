"""Every message of the recorded folder, given to the decoder it belongs to and compared with a plain reading."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fnmatch import fnmatch
from pathlib import Path

import orjson
import pytest
from bybit_messages import RECV_NS, by_symbol, instrument_row, make_instruments

from mlthon._core.market_event import PublicTrade
from mlthon.basics.defs import TIF, ExecInstructions, OrderStatus, OrderType, Side
from mlthon.exchanges.bybit.codec.account import (
    Balance,
    PositionRow,
    decode_balances,
    decode_funding,
    decode_position,
    decode_user_id,
)
from mlthon.exchanges.bybit.codec.fields import Ack, Json, Unknown
from mlthon.exchanges.bybit.codec.orders import decode_fill, decode_order, is_fill
from mlthon.exchanges.bybit.codec.private import Fills, Login, Orders, Positions, Wallets, decode_private
from mlthon.exchanges.bybit.codec.public import BookFrame, TradesFrame, decode_public
from mlthon.exchanges.bybit.codec.rest import decode_envelope, next_cursor
from mlthon.exchanges.bybit.codec.trade import TradeAnswer, decode_trade
from mlthon.exchanges.bybit.instruments import decode_instruments
from mlthon.instruments.instrument import Instrument

_PAIR = {
    "symbol": "APEXUSDT",
    "baseCoin": "APEX",
    "quoteCoin": "USDT",
    "status": "Trading",
    "lotSizeFilter": {"basePrecision": "0.01", "minOrderQty": "0.1", "minOrderAmt": "5"},
    "priceFilter": {"tickSize": "0.001"},
}
SYMBOLS: dict[tuple[str, str], Instrument] = {
    **by_symbol(make_instruments(*(instrument_row(f"{c}USDT", c) for c in ("BTC", "ETH", "SOL", "LTC")))),
    ("spot", "APEXUSDT"): decode_instruments([_PAIR], "spot").instruments[0],
}

SIDES = {"Buy": Side.Buy, "Sell": Side.Sell}
STATUSES = {
    "New": OrderStatus.New,
    "Untriggered": OrderStatus.New,
    "Filled": OrderStatus.Filled,
    "Cancelled": OrderStatus.Cancelled,
    "Rejected": OrderStatus.Cancelled,  # both of those in the folder had traded before
}
TIMES_IN_FORCE = {"GTC": TIF.GTC, "IOC": TIF.IOC, "FOK": TIF.FOK, "PostOnly": TIF.GTC}
ORDER_TYPES = {"Limit": OrderType.Limit, "Market": OrderType.Market}


def number(value: object) -> Decimal:
    return Decimal(str(value or "0"))


def number_of(value: object) -> Decimal:
    """One of MLThon's numbers, by its own text."""
    return Decimal(str(value))


# -- what each row comes to -----------------------------------------------------------------------------------------


def judge_order(report: object, row: Json, instrument: Instrument) -> None:
    told = (
        report.wire_id,
        report.exchange_id,
        report.instrument_id,
        report.side,
        number_of(report.price),
        number_of(report.qty),
        number_of(report.cum_qty),
        report.status,
        report.order_type,
        report.tif,
        report.exec_instr is ExecInstructions.PostOnly,
        report.venue_ms,
    )
    assert told == (
        row["orderLinkId"],
        row["orderId"],
        instrument.get_instrument_id(),
        SIDES[row["side"]],
        number(row["price"]),
        number(row["qty"]),
        number(row["cumExecQty"]),
        STATUSES[row["orderStatus"]],
        ORDER_TYPES[row["orderType"]],
        TIMES_IN_FORCE[row["timeInForce"]],
        row["timeInForce"] == "PostOnly",
        int(row["updatedTime"]),
    )
    words = [row["cancelType"], row["rejectReason"]]
    assert report.reason == "/".join(w for w in words if w not in ("", "UNKNOWN", "EC_NoError"))


def judge_fill(fill: object, row: Json, instrument: Instrument) -> None:
    told = (
        fill.exec_id,
        fill.wire_id,
        fill.exchange_id,
        fill.instrument_id,
        fill.side,
        fill.is_maker,
        fill.exec_ms,
    )
    assert told == (
        row["execId"],
        row["orderLinkId"],
        row["orderId"],
        instrument.get_instrument_id(),
        SIDES[row["side"]],
        row["isMaker"],
        int(row["execTime"]),
    )
    numbers = [number_of(value) for value in (fill.price, fill.qty, fill.fee)]
    assert numbers == [number(row[key]) for key in ("execPrice", "execQty", "execFee")]
    assert fill.fee_currency == (row.get("feeCurrency") or "USDT")


def judge_position(position: PositionRow, row: Json) -> None:
    sign = {"Buy": 1, "Sell": -1, "": 0, "None": 0}[row["side"]]
    assert position.instrument.get_exch_instr_id() == row["symbol"]
    assert number_of(position.size) == sign * number(row["size"])
    assert (position.leg, position.seq) == (row["positionIdx"], row.get("seq"))


def judge_balances(balances: list[Balance], accounts: list[Json]) -> None:
    coins = [coin for account in accounts for coin in account["coin"]]
    assert coins
    for balance, coin in zip(balances, coins, strict=True):
        held = sum(number(coin.get(key)) for key in ("locked", "totalOrderIM", "totalPositionIM"))
        total = number(coin["walletBalance"])
        assert (balance.coin, number_of(balance.total)) == (coin["coin"], total)
        assert number_of(balance.available) == max(total - held, Decimal(0))


def judge_instrument(instrument: Instrument, row: Json) -> None:
    lots = row["lotSizeFilter"]
    told = [instrument.get_exch_instr_id(), instrument.get_base_currency(), instrument.get_quote_currency()]
    assert told == [row["symbol"], row["baseCoin"], row["quoteCoin"]]
    numbers = {
        "tick": (instrument.get_price_tick_rules(), row["priceFilter"]["tickSize"]),
        "lot": (instrument.get_quantity_tick_rules(), lots.get("qtyStep") or lots["basePrecision"]),
        "least": (instrument.get_min_quantity(), lots["minOrderQty"]),
        "most": (instrument.get_max_quantity(), lots.get("maxLimitOrderQty") or lots["maxOrderQty"]),
        "worth": (
            instrument.get_min_notional(),
            lots.get("minOrderAmt") or lots.get("minNotionalValue") or "0",
        ),
    }
    for name, (ours, theirs) in numbers.items():
        assert number_of(0 if ours is None else ours) == number(theirs), name


# -- what each kind of file goes to ---------------------------------------------------------------------------------


def orders(data: bytes, message: Json) -> None:
    frame = decode_private(data, RECV_NS, SYMBOLS)
    assert isinstance(frame, Orders)
    assert frame.foreign == 0
    for report, row in zip(frame.reports, message["data"], strict=True):
        judge_order(report, row, SYMBOLS[row["category"], row["symbol"]])


def fills(data: bytes, message: Json) -> None:
    frame = decode_private(data, RECV_NS, SYMBOLS)
    assert isinstance(frame, Fills)
    assert (frame.foreign, frame.payments) == (0, 0)
    for fill, row in zip(frame.fills, message["data"], strict=True):
        judge_fill(fill, row, SYMBOLS[row["category"], row["symbol"]])


def positions(data: bytes, message: Json) -> None:
    if "topic" not in message:  # a row without its envelope
        judge_position(decode_position(message, SYMBOLS["linear", message["symbol"]], "row"), message)
        return
    frame = decode_private(data, RECV_NS, SYMBOLS)
    assert isinstance(frame, Positions)
    assert frame.foreign == 0
    for position, row in zip(frame.positions, message["data"], strict=True):
        judge_position(position, row)


def wallets(data: bytes, message: Json) -> None:
    frame = decode_private(data, RECV_NS, SYMBOLS)
    assert isinstance(frame, Wallets)
    judge_balances(frame.balances, message["data"])


def private_topic_not_ours(data: bytes, message: Json) -> None:
    assert decode_private(data, RECV_NS, SYMBOLS) == Unknown(message["topic"])


def login(data: bytes, message: Json) -> None:
    expected = Login(message["success"], message["retCode"], message["retMsg"])
    assert decode_private(data, RECV_NS, SYMBOLS) == decode_trade(data) == expected


def subscription(data: bytes, message: Json) -> None:
    expected = Ack("subscribe", message["success"], message["ret_msg"], message.get("req_id", ""))
    assert decode_public(data, RECV_NS) == decode_private(data, RECV_NS, SYMBOLS) == expected


def order_answer(data: bytes, message: Json) -> None:
    answer = decode_trade(data)
    assert isinstance(answer, TradeAnswer)
    expected = (
        message["reqId"],
        message["op"],
        message["retCode"],
        message["retMsg"],
        message["data"]["orderId"],
    )
    assert answer == TradeAnswer(*expected, limits=None)


def book(data: bytes, message: Json) -> None:
    frame, body = decode_public(data, RECV_NS), message["data"]
    assert isinstance(frame, BookFrame)
    assert (frame.topic, frame.update_id, frame.sent_ms) == (message["topic"], body["u"], message["ts"])
    update = frame.update
    assert (update.seq, update.is_snapshot) == (body["seq"], message["type"] == "snapshot")
    assert update.venue_ns == message.get("cts", message["ts"]) * 1_000_000
    for levels, key in ((update.bids(), "b"), (update.asks(), "a")):
        assert [(number_of(price), number_of(qty)) for price, qty in levels] == [
            (number(price), number(qty)) for price, qty in body[key]
        ]


def trades(data: bytes, message: Json) -> None:
    """The topic is of an older generation, and not ours; under today's name the same rows are trades."""
    assert decode_public(data, RECV_NS) == Unknown(message["topic"])
    today = {**message, "topic": f"publicTrade.{message['data'][0]['s']}"}
    frame = decode_public(orjson.dumps(today), RECV_NS)
    assert isinstance(frame, TradesFrame)
    for trade, row in zip(frame.trades, message["data"], strict=True):
        assert isinstance(trade, PublicTrade)
        assert (trade.taker_side, trade.trade_id) == (SIDES[row["S"]], row["i"])
        assert (number_of(trade.price), number_of(trade.qty)) == (number(row["p"]), number(row["v"]))
        assert trade.venue_ns == row["T"] * 1_000_000


def public_topic_not_ours(data: bytes, message: Json) -> None:
    assert decode_public(data, RECV_NS) == Unknown(message["topic"])


def ticker(data: bytes, message: Json) -> None:
    public_topic_not_ours(data, message)
    row = message["data"]
    assert decode_funding(row, "row") == (float(row["fundingRate"]), int(row["nextFundingTime"]))


def envelope(data: bytes, message: Json) -> None:
    """An answer to what the connector does not ask: understood as far as every answer is."""
    answer = decode_envelope(data, "file")
    assert (answer.code, answer.text, answer.result) == (0, message["retMsg"], message["result"])


def identity(data: bytes, message: Json) -> None:
    envelope(data, message)
    assert decode_user_id(message["result"], "file") == str(message["result"]["userID"])


def instruments(data: bytes, message: Json) -> None:
    envelope(data, message)
    listed = message["result"]["list"]
    category = "spot" if "contractType" not in listed[0] else listed[0]["contractType"][:-9].lower()
    found = decode_instruments(listed, category)
    assert (found.refused, found.idle) == ([], {})
    for instrument, row in zip(found.instruments, listed, strict=True):
        judge_instrument(instrument, row)


def asked_orders(data: bytes, message: Json) -> None:
    envelope(data, message)
    for row in message["result"]["list"]:
        instrument = SYMBOLS["linear", row["symbol"]]
        judge_order(decode_order(row, instrument, 0, "file"), row, instrument)


def asked_fills(data: bytes, message: Json) -> None:
    envelope(data, message)
    assert next_cursor(message["result"], "file") == message["result"]["nextPageCursor"]
    for row in message["result"]["list"]:
        assert is_fill(row, "file")
        instrument = SYMBOLS["linear", row["symbol"]]
        judge_fill(decode_fill(row, instrument, 0, "file"), row, instrument)


def asked_positions(data: bytes, message: Json) -> None:
    envelope(data, message)
    for row in message["result"]["list"]:
        judge_position(decode_position(row, SYMBOLS["linear", row["symbol"]], "file"), row)


def asked_balances(data: bytes, message: Json) -> None:
    envelope(data, message)
    accounts = message["result"]["list"]
    balances, odd = decode_balances(accounts, "file")
    assert not odd
    judge_balances(balances, accounts)


JUDGES: dict[str, Callable[[bytes, Json], None]] = {
    "ws_account_order*": orders,
    "ws_account_execution_fast*": private_topic_not_ours,
    "ws_account_execution*": fills,
    "ws_account_position*": positions,
    "ws_account_wallet*": wallets,
    "ws_auth_*": login,
    "ws_subscription_*": subscription,
    "ws_order_response": order_answer,
    "ws_orderbook_*": book,
    "ws_public_trade": trades,
    "ws_kline": public_topic_not_ours,
    "ws_ticker_linear": ticker,
    "http_get_instruments_*": instruments,
    "http_get_orderbook": envelope,
    "http_get_order*": asked_orders,
    "http_get_executions": asked_fills,
    "http_get_positions*": asked_positions,
    "http_get_wallet_balance*": asked_balances,
    "http_get_user_query_api": identity,
    "http_get_account_info": envelope,
    "http_get_fee_rate": envelope,
    "http_get_funding_history": envelope,
    "http_get_klines_linear": envelope,
    "http_get_trades_recent": envelope,
}
"""By file name; the first pattern that fits counts."""


def test_every_recorded_message_decodes_to_what_it_says(captures: Path) -> None:
    files = sorted((captures / "bybit" / "v5-messages").iterdir())
    assert len(files) >= 55
    used = set()
    for path in files:
        patterns = [pattern for pattern in JUDGES if fnmatch(path.stem, pattern)]
        if path.suffix != ".json" or not patterns:
            pytest.fail(f"{path.name}: no decoder is named for it")
        used.add(patterns[0])
        data = path.read_bytes()
        try:
            JUDGES[patterns[0]](data, orjson.loads(data))
        except Exception as error:
            error.add_note(f"in {path.name}")
            raise
    assert used == set(JUDGES)
