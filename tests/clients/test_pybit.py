"""A public client library, pointed at the venue: it subscribes, places, cancels and sees its fills.

The venue runs on a thread and a loop of its own, as the client's threads block.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bybit_client import DEADLINE_S, KEY, SECRET, Json, Stage

from mlthon.basics.defs import Side
from mlthon.venues.bybit import Endpoints

pybit_stream = pytest.importorskip("pybit._websocket_stream")
pybit_trading = pytest.importorskip("pybit._websocket_trading")
unified_trading = pytest.importorskip("pybit.unified_trading")
pybit_errors = pytest.importorskip("pybit.exceptions")

BTC = {"category": "linear", "symbol": "BTCUSDT"}
ORDER = {**BTC, "side": "Buy", "orderType": "Limit"}

# The client's thread looks up from its socket every ping_timeout seconds, and must not reconnect when it is closed.
SOCKET = {"testnet": False, "ping_timeout": 1, "restart_on_error": False}


class VenueThread:
    """A stage on a thread of its own."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="venue")
        self._thread.start()
        self.endpoints: Endpoints = self._await(self.stage.venue.start())

    def call(self, function: Callable[[], object]) -> None:
        """Run something on the venue's thread, and wait until it is done."""

        async def run() -> None:
            function()

        self._await(run())

    def close(self) -> None:
        self._await(self.stage.venue.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        self._loop.close()

    def _await(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def venue(stage: Stage) -> Iterator[VenueThread]:
    thread = VenueThread(stage)
    yield thread
    thread.close()


@pytest.fixture
def http(venue: VenueThread) -> Iterator[Any]:
    client = unified_trading.HTTP(api_key=KEY, api_secret=SECRET)
    client.endpoint = venue.endpoints.rest
    yield client
    client.client.close()


@pytest.fixture
def addresses(venue: VenueThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unified_trading, "PUBLIC_WSS", f"{venue.endpoints.ws_public}/{{CHANNEL_TYPE}}")
    monkeypatch.setattr(unified_trading, "PRIVATE_WSS", venue.endpoints.ws_private)
    monkeypatch.setattr(pybit_trading, "TRADE_WSS", venue.endpoints.ws_trade)


@pytest.fixture
def sending(monkeypatch: pytest.MonkeyPatch) -> threading.Lock:
    """To be held while the client sends: its thread reads nothing until then.

    The client notes what it sent, and whom to call back, only after sending. Over a network no answer is that
    fast; over loopback some are.
    """
    lock = threading.Lock()
    on_message = pybit_stream._WebSocketManager._on_message

    def on_message_later(socket: Any, message: str) -> None:
        with lock:
            on_message(socket, message)

    monkeypatch.setattr(pybit_stream._WebSocketManager, "_on_message", on_message_later)
    return lock


class Inbox:
    """What callbacks on the client's threads were given."""

    def __init__(self) -> None:
        self._messages: queue.Queue[Json] = queue.Queue()

    def put(self, message: Json) -> None:
        self._messages.put(message)

    def get(self) -> Json:
        return self._messages.get(timeout=DEADLINE_S)

    def until(self, is_it: Callable[[Json], bool]) -> Json:
        message = self.get()
        while not is_it(message):
            message = self.get()
        return message


@pytest.fixture
def acks() -> Iterator[Inbox]:
    """The client's log lines of confirmed subscriptions, for which it does not wait itself."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("Subscription to"):
                inbox.put({"text": record.getMessage()})

    inbox, handler = Inbox(), Handler()
    level = pybit_stream.logger.level
    pybit_stream.logger.addHandler(handler)
    pybit_stream.logger.setLevel(logging.DEBUG)
    yield inbox
    pybit_stream.logger.removeHandler(handler)
    pybit_stream.logger.setLevel(level)


def close(socket: Any) -> None:
    socket.exit()
    socket.wst.join(DEADLINE_S)
    assert not socket.wst.is_alive()


def test_rest(venue: VenueThread, http: Any) -> None:
    assert int(http.get_server_time()["result"]["timeSecond"]) > 1_600_000_000
    assert len(http.get_instruments_info(category="linear")["result"]["list"]) == 2
    assert http.get_orderbook(**BTC)["result"]["b"][0] == ["60000.0", "2.000"]
    order_id = http.place_order(**ORDER, qty=0.5, price=59000, orderLinkId="one")["result"]["orderId"]
    (row,) = http.get_open_orders(**BTC)["result"]["list"]
    assert (row["orderId"], row["orderStatus"]) == (order_id, "New")
    assert http.amend_order(**BTC, orderId=order_id, qty="0.6")["result"]["orderId"] == order_id
    assert http.cancel_order(**BTC, orderLinkId="one")["result"]["orderId"] == order_id
    http.place_order(**BTC, side="Buy", orderType="Market", qty="1")
    ((_, *prices, volume, _),) = http.get_kline(**BTC, interval="60")["result"]["list"]
    assert (set(prices), volume) == ({"60000.1"}, "1.000")
    with pytest.raises(pybit_errors.InvalidRequestError, match="closed-pnl is not simulated"):
        http.get_closed_pnl(category="linear")
    (fill,) = http.get_executions(**BTC)["result"]["list"]
    assert (fill["execQty"], fill["execPrice"]) == ("1.000", "60000.1")
    (position,) = http.get_positions(**BTC)["result"]["list"]
    assert (position["side"], position["size"]) == ("Buy", "1.000")
    (wallet,) = http.get_wallet_balance(accountType="UNIFIED")["result"]["list"]
    assert wallet["coin"][0]["walletBalance"] == "999966.999945"
    http.place_order(**ORDER, qty="0.5", price="59000")
    assert len(http.cancel_all_orders(**BTC)["result"]["list"]) == 1
    with pytest.raises(pybit_errors.InvalidRequestError, match="110001"):
        http.cancel_order(**BTC, orderId="none")


@pytest.mark.usefixtures("addresses")
def test_public_stream(venue: VenueThread, sending: threading.Lock) -> None:
    books, trades, tickers = Inbox(), Inbox(), Inbox()
    socket = unified_trading.WebSocket(channel_type="linear", **SOCKET)
    try:
        with sending:
            socket.orderbook_stream(50, "BTCUSDT", books.put)
            socket.trade_stream("BTCUSDT", trades.put)
            socket.ticker_stream("BTCUSDT", tickers.put)
        assert books.get()["data"]["b"][0] == ["60000.0", "2.000"]
        assert tickers.get()["data"]["bid1Price"] == "60000.0"
        venue.call(lambda: venue.stage.depth([("60000.0", "0"), ("59999.8", "1")], []))
        assert books.get()["data"]["b"] == [["59999.9", "5.000"], ["59999.8", "1.000"]]
        venue.call(lambda: venue.stage.trade(Side.Buy, "60000.1", "0.2"))
        assert trades.get()["data"][0]["v"] == "0.200"
        assert tickers.until(lambda message: message["data"]["lastPrice"] == "60000.1")
    finally:
        close(socket)


@pytest.mark.usefixtures("addresses")
def test_private_and_trade_streams(venue: VenueThread, acks: Inbox, sending: threading.Lock) -> None:
    orders, executions, positions, wallets, answers = Inbox(), Inbox(), Inbox(), Inbox(), Inbox()
    login = {**SOCKET, "api_key": KEY, "api_secret": SECRET, "private_auth_expire": 10}
    private = unified_trading.WebSocket(channel_type="private", **login)
    trading = unified_trading.WebSocketTrading(**login)
    try:
        with sending:
            private.order_stream(orders.put)
            private.execution_stream(executions.put)
            private.position_stream(positions.put)
            private.wallet_stream(wallets.put)
        for _ in range(4):
            acks.get()

        with sending:
            trading.place_order(answers.put, **ORDER, qty="1", price="60000.0", orderLinkId="maker")
        placed = answers.get()
        assert (placed["retCode"], placed["data"]["orderLinkId"]) == (0, "maker")
        assert orders.get()["data"][0]["orderStatus"] == "New"
        assert positions.get()["data"][0]["size"] == "0"

        venue.call(lambda: venue.stage.trade(Side.Sell, "60000.0", "2.4"))
        fill = executions.get()["data"][0]
        assert (fill["orderLinkId"], fill["execQty"], fill["isMaker"]) == ("maker", "0.400", True)
        assert orders.get()["data"][0]["orderStatus"] == "PartiallyFilled"
        assert positions.get()["data"][0]["size"] == "0.400"
        assert wallets.get()["data"][0]["coin"][0]["walletBalance"] == "999995.2"

        with sending:
            trading.amend_order(answers.put, **BTC, orderLinkId="maker", qty="0.9")
        assert answers.get()["retCode"] == 0
        assert orders.get()["data"][0]["qty"] == "0.900"
        with sending:
            trading.cancel_order(answers.put, **BTC, orderId=placed["data"]["orderId"])
        assert answers.get()["retCode"] == 0
        cancelled = orders.get()["data"][0]
        assert (cancelled["orderStatus"], cancelled["cumExecQty"]) == ("Cancelled", "0.400")

        with sending:
            trading.place_order(answers.put, **ORDER, qty="1", price="60001", timeInForce="PostOnly")
        assert answers.get()["retCode"] == 0
        assert orders.get()["data"][0]["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"
        with sending:
            trading.place_order(
                answers.put, error_callback=answers.put, **{**ORDER, "symbol": "NONE"}, qty="1", price="1"
            )
        assert answers.get()["retCode"] == 10001
    finally:
        close(private)
        close(trading)


# -- the other products ---------------------------------------------------------------------------------------------


class TestAllProducts:
    """The same client, on inverse contracts and spot."""

    @pytest.fixture
    def stage(self) -> Stage:
        return Stage.of_all_products()

    def test_inverse_by_rest(self, http: Any) -> None:
        contract = {"category": "inverse", "symbol": "BTCUSD"}
        http.place_order(**contract, side="Sell", orderType="Market", qty="30000")
        http.place_order(**contract, side="Buy", orderType="Limit", qty="1", price="59000", reduceOnly=True)
        (position,) = http.get_positions(category="inverse")["result"]["list"]
        assert (position["side"], position["size"], position["avgPrice"]) == ("Sell", "30000", "60000")
        ticker = http.get_tickers(**contract)["result"]["list"][0]
        assert (ticker["symbol"], ticker["lastPrice"]) == (
            "BTCUSD",
            "60000.00",
        )  # on the tick; the mark need not be
        assert ticker["markPrice"] == "60000.25"
        assert len(http.cancel_all_orders(**contract)["result"]["list"]) == 1
        (wallet,) = http.get_wallet_balance(accountType="UNIFIED", coin="BTC")["result"]["list"]
        assert wallet["coin"][0]["walletBalance"] == "9.999725"

    def test_spot_by_rest(self, http: Any) -> None:
        pair = {"category": "spot", "symbol": "BTCUSDT"}
        assert http.get_instruments_info(category="spot")["result"]["list"][0]["symbol"] == "BTCUSDT"
        assert len(http.get_orderbook(**pair, limit=50)["result"]["a"]) == 2
        bought = http.place_order(**pair, side="Buy", orderType="Market", qty="100")["result"]["orderId"]
        (row,) = http.get_order_history(category="spot", orderId=bought)["result"]["list"]
        assert (row["orderStatus"], row["cumExecValue"]) == ("PartiallyFilledCanceled", "99.96")
        http.place_order(**pair, side="Sell", orderType="Limit", qty="0.5", price="61000", orderLinkId="one")
        assert http.get_open_orders(category="spot")["result"]["list"][0]["leavesQty"] == "0.500000"
        assert http.cancel_order(**pair, orderLinkId="one")["retCode"] == 0
        with pytest.raises(pybit_errors.InvalidRequestError, match="170142"):
            http.cancel_order(**pair, orderLinkId="one")

    @pytest.mark.usefixtures("addresses")
    def test_spot_stream_and_status(self, venue: VenueThread, acks: Inbox, sending: threading.Lock) -> None:
        books, tickers, status = Inbox(), Inbox(), Inbox()
        public = unified_trading.WebSocket(channel_type="spot", **SOCKET)
        misc = unified_trading.WebSocket(channel_type="misc/status", **SOCKET)
        try:
            with sending:
                public.orderbook_stream(50, "BTCUSDT", books.put)
                public.ticker_stream("BTCUSDT", tickers.put)
            assert books.get()["data"]["b"] == [["59990.00", "2.000000"]]
            assert tickers.get()["data"]["usdIndexPrice"] == "59995"
            venue.call(lambda: venue.stage.depth([("59991", "1")], [], symbol="BTC/USDT"))
            assert ["59991.00", "1.000000"] in books.get()["data"]["b"]
            with sending:
                misc.system_status_stream(status.put)
            for _ in range(3):
                acks.get()
            venue.call(lambda: venue.stage.venue.begin_maintenance("Upgrade"))
            venue.call(venue.stage.venue.end_maintenance)
            assert status.until(lambda message: message["data"][0]["state"] == "completed")
        finally:
            close(public)
            close(misc)
