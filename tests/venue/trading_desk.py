"""A strategy, the real engine and connector, real sockets, a wire to meddle with, and the simulated venue."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from bybit_client import DEADLINE_S, KEY, SECRET, Stage
from meddling_wire import MeddlingWire

from mlthon.api.istrat_env import MDSub
from mlthon.api.istrategy import IStrategy
from mlthon.basics.defs import (
    TIF,
    Exchange,
    ExecInstructions,
    FeedHandlerStatus,
    GtwStatus,
    OrderType,
    Side,
)
from mlthon.engine.clock import LiveClock
from mlthon.engine.live import LiveEngine
from mlthon.engine.strat_env import StratEnv
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.exchanges.socket import SocketLimits

LINEAR, INVERSE, SPOT = "byt:perp:BTC-USDT", "byt:perp:BTC-USD", "byt:spot:BTC-USDT"
SYMBOLS = {LINEAR: "BTCUSDT", INVERSE: "BTCUSD", SPOT: "BTC/USDT"}  # as the simulated exchange calls them
# How long a lost request is waited for: little, but more than a busy machine pauses.
IMPATIENT = {"request_timeout_ms": 1_500, "recv_window_ms": 1_500}
PATIENCE = SocketLimits(first_pause_ms=5, longest_pause_ms=50, stable_after_ms=60_000)


async def eventually(condition: Callable[[], object], what: str = "") -> None:
    """Wait until something holds; fails at the deadline."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"did not come true within {DEADLINE_S} s: {what or condition}")
        await asyncio.sleep(0.002)


class Call:
    """One callback: its name, and its arguments by the names of the published interface."""

    def __init__(self, name: str, arguments: dict[str, Any]) -> None:
        self.name = name
        self.arguments = arguments

    def __getattr__(self, argument: str) -> Any:
        try:
            return self.arguments[argument]
        except KeyError:
            raise AttributeError(argument) from None

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"

    def fits(self, name: str, expected: dict[str, object]) -> bool:
        return self.name == name and all(self.arguments[key] == value for key, value in expected.items())


class Trader:
    """A strategy that writes down every callback."""

    def __init__(self, instruments: Sequence[str], subs: Sequence[MDSub]) -> None:
        self.calls: list[Call] = []
        self.news = asyncio.Event()
        self._instruments = instruments
        self._subs = subs

    def take(self, call: Call) -> None:
        self.calls.append(call)
        self.news.set()

    def on_framework_connected(self, env: StratEnv) -> None:
        env.login("trader")
        env.request_execution_connection(Exchange.Bybit, self._instruments)
        if self._subs:
            env.subscribe_to_market_data(Exchange.Bybit, self._instruments, self._subs)
        self._env = env

    def on_stop(self, params: str) -> None:
        self.take(Call("on_stop", {"params": params}))
        self._env.send_stop_ack()


def _recorder(name: str, arguments: list[str]) -> Callable[..., None]:
    def callback(self: Trader, *values: object) -> None:
        self.take(Call(name, dict(zip(arguments, values, strict=True))))

    return callback


for _name, _function in inspect.getmembers(IStrategy, inspect.isfunction):
    if _name.startswith("on_") and _name not in vars(Trader):
        setattr(Trader, _name, _recorder(_name, list(inspect.signature(_function).parameters)[1:]))


class Desk:
    """All of it. `open` starts it; `wait` waits for callbacks, each of which is handed out once."""

    def __init__(self, stage: Stage, *, tls: ssl.SSLContext | None = None, **settings: Any) -> None:
        self.stage = stage
        self._tls = tls  # of the venue, which is reached without the wire then
        self.wire = MeddlingWire()
        self.instruments: Sequence[str] = settings.pop("instruments", (LINEAR, INVERSE, SPOT))
        self.subs: Sequence[MDSub] = settings.pop("subs", ())
        self._settings = settings
        self._unread: list[Call] = []
        self._read = 0

    async def open(self) -> Desk:
        """Start venue, engine and strategy, and wait until it is ready to trade."""
        at = await self.stage.venue.start(tls=self._tls)
        if self._tls is None:
            at = await self.wire.start(at)
        settings: dict[str, Any] = {
            "api_key": KEY,
            "api_secret": SECRET,
            "categories": ("linear", "inverse", "spot"),
            "request_timeout_ms": 3_000,
            "recv_window_ms": 2_000,
            "retry_first_ms": 10,
            "retry_longest_ms": 50,
            "socket": PATIENCE,
            **self._settings,
        }
        config = BybitConfig(at.rest, at.ws_public, at.ws_private, at.ws_trade, **settings)
        clock = LiveClock()
        self.trader = Trader(self.instruments, self.subs)
        self.engine = LiveEngine(self.trader, [BybitConnector(config, clock.now_ns)], clock=clock)
        await self.engine.start()
        self.env = self.engine.env
        await self.wait("on_gateway_status", status=GtwStatus.ReadyToTrade)
        if self.subs:
            await self.wait("on_feed_handler_status", status=FeedHandlerStatus.SnapshotEnd)
        return self

    async def close(self) -> None:
        await self.engine.close()
        if self._tls is None:
            await self.wire.close()
        await self.stage.venue.close()

    # -- what the strategy was told --------------------------------------------------------------------------

    @property
    def calls(self) -> list[Call]:
        """Every callback so far."""
        return self.trader.calls

    def named(self, *names: str) -> list[Call]:
        return [call for call in self.calls if call.name in names]

    def story(self, client_id: str) -> list[str]:
        """What was told about one order: the names of the callbacks, in order."""
        return [call.name for call in self.calls if call.arguments.get("client_id") == client_id]

    async def wait(self, name: str, **expected: object) -> Call:
        """The next callback of this name with these arguments; those before it stay to be waited for."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    self._unread += self.calls[self._read :]
                    self._read = len(self.calls)
                    for index, call in enumerate(self._unread):
                        if call.fits(name, expected):
                            return self._unread.pop(index)
                    self.trader.news.clear()
                    await self.trader.news.wait()
        except TimeoutError:
            last = "\n".join(map(repr, self.calls[-12:]))
            raise AssertionError(
                f"no {name} with {expected} in {DEADLINE_S} s; the last calls:\n{last}"
            ) from None

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until something holds that no callback tells."""
        await eventually(condition, what)

    # -- what the strategy asks ------------------------------------------------------------------------------

    def id_of(self, instrument: str) -> int:
        (found,) = {
            known.get_instrument_id()
            for call in self.named("on_instruments")
            for known in call.instruments
            if known.get_instrument_name() == instrument
        }
        return found

    def order(
        self,
        client_id: str,
        instrument: str = LINEAR,
        side: Side = Side.Buy,
        price: str | None = "59000",
        qty: str = "0.5",
        *,
        tif: TIF = TIF.GTC,
        post_only: bool = False,
        close: bool = False,
    ) -> str:
        """Send a limit order, a market order where the price is None."""
        self.env.send_new_order(
            client_id,
            Exchange.Bybit,
            instrument,
            side,
            price,
            qty,
            ExecInstructions.PostOnly if post_only else ExecInstructions.Unset,
            OrderType.Limit if price is not None else OrderType.Market,
            tif,
            close,
        )
        return client_id

    async def resting(self, client_id: str, *arguments: Any, **more: Any) -> Call:
        """Send an order and wait for its ack."""
        self.order(client_id, *arguments, **more)
        return await self.wait("on_new_order_ack", client_id=client_id)

    def modify(self, client_id: str, price: str | None = None, qty: str | None = None) -> None:
        self.env.send_modify_order(Exchange.Bybit, client_id, price, qty)

    def cancel(self, client_id: str, instrument: str = LINEAR) -> None:
        self.env.send_cancel_order(Exchange.Bybit, instrument, client_id)

    # -- what the venue has ----------------------------------------------------------------------------------

    def empty_bid(self, instrument: str = LINEAR, price: str = "60000.0") -> None:
        """Take the displayed quantity at a bid away, so that nothing is ahead of an order there."""
        self.stage.depth([(price, "0")], [], symbol=SYMBOLS[instrument])

    def sell(self, price: str, qty: str, instrument: str = LINEAR) -> None:
        """Somebody sells at a price."""
        self.stage.trade(Side.Sell, price, qty, symbol=SYMBOLS[instrument])
