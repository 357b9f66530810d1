"""Strategies and markets for backtests: what they are told is written down, what they do is given by the test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mlthon._core.callbacks import CALLBACKS
from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import RateUpdate
from mlthon.basics.defs import TIF, Exchange, ExecInstructions, OrderType, Side
from mlthon.instruments.instrument import Instrument
from mlthon.sim.synthetic import SyntheticMarket

SECOND_NS = 1_000_000_000
MS_NS = 1_000_000
START_NS = 1_700_000_000 * SECOND_NS

LINEAR = SyntheticMarket(1).instrument
Levels = Iterable[tuple[str, str]]


class Tape:
    """A market written down in a test: events with their times in milliseconds from the start."""

    def __init__(
        self, *events: tuple[float, DepthUpdate | PublicTrade | RateUpdate], instrument: Instrument = LINEAR
    ) -> None:
        self.instrument = instrument
        self.events = events

    def __iter__(self) -> Iterator[tuple[int, DepthUpdate | PublicTrade | RateUpdate]]:
        before_ms = 0.0
        for at_ms, event in self.events:
            yield round((at_ms - before_ms) * MS_NS), event
            before_ms = at_ms


def book(at_ms: float, bids: Levels, asks: Levels, *, whole: bool = False) -> tuple[float, DepthUpdate]:
    """A depth message."""
    ns = START_NS + round(at_ms * MS_NS)
    return at_ms, DepthUpdate(
        list(bids), list(asks), is_snapshot=whole, venue_ns=ns, recv_ns=ns, seq=int(at_ms) + 1
    )


def trade(at_ms: float, side: Side, price: str, qty: str) -> tuple[float, PublicTrade]:
    """A public trade; `side` took."""
    ns = START_NS + round(at_ms * MS_NS)
    return at_ms, PublicTrade(side, price, qty, venue_ns=ns, recv_ns=ns)


def rate(at_ms: float, kind: str, value: str, *, due_ms: float | None = None) -> tuple[float, RateUpdate]:
    """A funding rate, which is charged next at ``due_ms``, a mark price or an index price."""
    ns = START_NS + round(at_ms * MS_NS)
    due_ns = 0 if due_ms is None else START_NS + round(due_ms * MS_NS)
    return at_ms, RateUpdate(kind, value, due_ns=due_ns, venue_ns=ns, recv_ns=ns)


class Scripted:
    """Writes down (ms since the start, callback, arguments), and does what `act` says when it is its time.

    ``acts`` are ``(at_ms, function(env))``; the times are those of the strategy's clock.
    """

    def __init__(self, *acts: tuple[int, Callable[[Any], object]]) -> None:
        self.acts = acts
        self.told: list[tuple[str, tuple[Any, ...]]] = []
        self.env: Any = None

    def __getattribute__(self, name: str) -> Any:
        if name in CALLBACKS and name not in ("on_framework_connected", "on_start", "on_stop"):
            return lambda *args: self.told.append((name, args))
        return object.__getattribute__(self, name)

    def on_framework_connected(self, env: Any) -> None:
        self.env = env
        env.login("scripted")

    def on_start(self, params: str) -> None:
        for at_ms, act in self.acts:
            self.env.setup_timer(at_ms, lambda act=act: act(self.env) and None)

    def on_stop(self, params: str) -> None:
        self.env.send_stop_ack()

    def names(self, *wanted: str) -> list[str]:
        """The callbacks so far, of the ones named."""
        return [name for name, _ in self.told if name in wanted]

    def last(self, wanted: str) -> tuple[Any, ...]:
        """What the latest callback of a name was given."""
        return next(args for name, args in reversed(self.told) if name == wanted)


def order(
    client_id: str,
    side: Side,
    price: str | None,
    qty: str,
    *,
    tif: TIF = TIF.GTC,
    post_only: bool = False,
    close: bool = False,
    instrument: Instrument = LINEAR,
) -> Callable[[Any], object]:
    """An act that sends a new order; without a price, a market order."""
    return lambda env: env.send_new_order(
        client_id,
        instrument.get_exchange(),
        instrument.get_instrument_id(),
        side,
        price,
        qty,
        ExecInstructions.PostOnly if post_only else ExecInstructions.Unset,
        OrderType.Market if price is None else OrderType.Limit,
        tif,
        close,
    )


def cancel(client_id: str, *, instrument: Instrument = LINEAR) -> Callable[[Any], object]:
    """An act that asks to cancel an order."""
    return lambda env: env.send_cancel_order(Exchange.Bybit, instrument.get_instrument_id(), client_id)


def amend(client_id: str, price: str | None, qty: str | None) -> Callable[[Any], object]:
    """An act that asks to change an order."""
    return lambda env: env.send_modify_order(Exchange.Bybit, client_id, price, qty)
