"""What the matching engine adds to a book of the market, and what an order costs in the simulated exchange.

A depth message that concerns no client should cost what it costs in a book alone: the engine applies a recorded
market beside `InstrumentFeed`, which keeps one book, both without callbacks and from the snapshot on, which is not
timed. With clients' orders resting in the book the same is measured again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from interleave import Piece, loop, measure
from recorded_market import CAPTURES, MARKETS, SYNTHETIC

from mlthon._core.dispatch import Dispatcher
from mlthon._core.instrument_feed import InstrumentFeed
from mlthon._core.market_event import DepthUpdate
from mlthon._core.matching import MatchingEngine
from mlthon.basics.defs import Exchange, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.perpetual import Perpetual
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import NewOrder

MARKET = "BTCUSDT" if CAPTURES.is_dir() else SYNTHETIC
ROUNDS = 15
FAR = (
    Price("50"),
    Price("500"),
)  # from the best price: orders there never trade, and many messages tell of them

Updates = Sequence[DepthUpdate]


@pytest.fixture(scope="module")
def updates() -> Updates:
    return list(MARKETS[MARKET].updates())


def fed_to(
    apply: Callable[..., object], flags: tuple[bool, ...], updates: Updates, begin: Callable[[], object]
) -> Piece:
    """Apply a market's messages; a round begins with the first of them, and what `begin` does, untimed."""

    def run(times: int) -> None:
        for _ in range(times):
            for update in updates[1:]:
                apply(update, *flags)

    return Piece(run, sum(map(len, updates[1:])), begin)


def book_alone(updates: Updates) -> Piece:
    feed = InstrumentFeed(Dispatcher(object()), Exchange.Bybit, 30000000001)
    return fed_to(feed.apply, (False,), updates, lambda: feed.apply(updates[0], False))


def matched(updates: Updates, orders: int) -> Piece:
    """The engine, with so many orders on each side."""
    engine = MatchingEngine()
    account = engine.add_account()

    def begin() -> None:
        for order_id in range(1, 2 * orders + 1):
            if order_id in engine:
                engine.cancel(order_id)
        engine.apply_depth(updates[0])
        bid, ask = engine.best_bid(), engine.best_ask()
        assert bid is not None
        assert ask is not None
        for number, distance in enumerate(FAR[:orders]):
            engine.place(2 * number + 1, account, Side.Buy, Qty("1"), bid - distance)
            engine.place(2 * number + 2, account, Side.Sell, Qty("1"), ask + distance)

    return fed_to(engine.apply_depth, (), updates, begin)


@pytest.mark.parametrize(("orders", "limit"), [(0, 1.25), (1, 1.4), (2, 1.5)])
def test_a_matched_market_beside_its_book(compare, updates: Updates, orders: int, limit: float) -> None:
    compare(
        f"a level in the matching engine, {MARKET}, {2 * orders} orders resting",
        ours=matched(updates, orders),
        theirs=book_alone(updates),
        beside="in a book alone",
        at_most=limit,
        rounds=ROUNDS,
    )


def test_an_order_comes_and_goes(note: Callable[..., None], is_timed: bool) -> None:
    """Placed and cancelled, in the exchange and in its engine alone; nobody listens."""
    instrument = Perpetual(
        exch_instr_id="BTCUSDT",
        quote_currency="USDT",
        settlement_method="linear",
        price_tick_rules="0.10",
        quantity_tick_rules="0.001",
        min_quantity="0.001",
    )
    exchange = SimExchange([instrument], now_ns=lambda: 0)
    exchange.apply_depth("BTCUSDT", DepthUpdate([("60000.0", "2")], [("60000.1", "3")], is_snapshot=True))
    engine = MatchingEngine()
    buy, qty, price = Side.Buy, Qty("1"), Price("59999")
    pieces = {
        "exchange": loop(
            "cancel(account, symbol, order_id=place(account, order).order_id)",
            cancel=exchange.cancel,
            place=exchange.place,
            account=exchange.add_account("alice", {"USDT": Qty("100000")}),
            symbol="BTCUSDT",
            order=NewOrder("BTCUSDT", buy, qty, price),
        ),
        "engine": loop(
            "place(1, account, buy, qty, price); cancel(1)",
            cancel=engine.cancel,
            place=engine.place,
            account=engine.add_account(),
            buy=buy,
            qty=qty,
            price=price,
        ),
    }
    if not is_timed:
        measure(pieces, rounds=1, round_ns=1)
        return
    costs = measure(pieces)
    note(
        "an order placed and cancelled, the simulated exchange",
        f"{costs.ns['exchange']:,.0f} ns",
        f"{costs.ns['engine']:,.0f} ns in the matching engine alone",
        f"{costs.ratio('exchange', 'engine'):.1f} x",
    )
