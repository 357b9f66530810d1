"""One chaos run: a plan and a strategy from a seed, real sockets between them, and two ledgers that must agree."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chaos_plans import random_plan
from chaos_trader import BYBIT, ChaosTrader

from mlthon._core.price_book import PriceLevelBook
from mlthon.basics.defs import GtwStatus, InstrumentType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.clock import LiveClock
from mlthon.engine.live import LiveEngine
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.exchanges.socket import SocketLimits
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import EndReason, OrderState
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.sim.terms import Product, symbol_of
from mlthon.venues.bybit import BybitVenue, Endpoints
from mlthon.venues.bybit.faults import BybitFaults
from mlthon.venues.faults import FaultPlan
from mlthon.venues.player import play

TRADE_S = 0.6
LEAST_REQUESTS = 21  # a machine with other things to do may need longer for as many
SETTLE_S = 20.0  # at most, for each step of it
SPEED = 20.0
DEPOSITS = {"USDT": Qty("100000000"), "BTC": Qty("10000")}
ORDER_ENTRIES = ("websocket", "websocket", "rest")
PRODUCTS = (Product.Linear, Product.Linear, Product.Inverse, Product.Linear, Product.Spot)


class Disagreement(AssertionError):
    """The two sides do not tell the same story; the text says in what."""


@dataclass
class Outcome:
    """What a run came to."""

    seed: int
    plan: FaultPlan
    product: Product
    faults: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    fills: int = 0


async def chaos_run(seed: int, trade_s: float = TRADE_S) -> Outcome:
    """Trade through the faults of a seed, let everything settle, and compare; raises Disagreement.

    It trades for `trade_s`, and on until it has made `LEAST_REQUESTS`: how many those are in a time says how much
    else the machine has to do.
    """
    product = PRODUCTS[seed % len(PRODUCTS)]
    plan = plan_of(seed)
    faults = BybitFaults(plan, at_once=False)
    outcome = Outcome(seed, plan, product, faults.counts)
    market = SyntheticMarket(seed, product=product)
    exchange = SimExchange([market.instrument], time.time_ns)
    account = exchange.add_account("chaos", DEPOSITS)
    venue = BybitVenue(
        exchange, time.time_ns, api_keys={"k": ("s", account)}, rate_scale=1000.0, faults=faults
    )
    trader = ChaosTrader(seed)
    async with running(venue, exchange, market) as (endpoints, player):
        clock = LiveClock()
        engine = LiveEngine(
            trader,
            [BybitConnector(config(endpoints, product, order_entry_of(seed)), clock.now_ns)],
            clock=clock,
            choose_defaults=lambda table: [table.resolve(BYBIT, market.instrument.get_instrument_name())],
            slow_callback_ms=10_000.0,
        )
        try:
            await engine.start()
            faults.begin()
            await asyncio.wait({player}, timeout=trade_s)
            await until(
                lambda: trader.asked.total() >= LEAST_REQUESTS,
                lambda: f"only {trader.asked.total()} requests were made: the market was not told",
            )
            faults.stop()
            await calm_down(engine, trader)
            player.cancel()
            await compare_open_orders(engine, exchange, account)
            await end(engine, trader)
            await compare(engine, exchange, account, trader)
        finally:
            await engine.close()
    outcome.requests = trader.asked.total()
    outcome.fills = len(trader.fills)
    return outcome


def plan_of(seed: int) -> FaultPlan:
    """What goes wrong in the run of a seed."""
    by_rest = order_entry_of(seed) == "rest"
    return random_plan(seed, "rest" if by_rest else "trade")


def order_entry_of(seed: int) -> str:
    return ORDER_ENTRIES[seed % len(ORDER_ENTRIES)]


def config(endpoints: Endpoints, product: Product, order_entry: str) -> BybitConfig:
    """A connector in a hurry: what takes seconds in life takes tenths of a second here."""
    return BybitConfig(
        rest_url=endpoints.rest,
        ws_public_url=endpoints.ws_public,
        ws_private_url=endpoints.ws_private,
        ws_trade_url=endpoints.ws_trade,
        api_key="k",
        api_secret="s",
        categories=(product.value,),
        order_entry=order_entry,
        recv_window_ms=400,
        request_timeout_ms=400,
        retry_first_ms=10,
        retry_longest_ms=50,
        ready_timeout_ms=15_000,
        rate_factor=1_000,
        silent_after_ms=1_000,
        account_every_ms=500,  # finds out what was lost without a trace
        socket=SocketLimits(
            connect_timeout_ms=2_000,
            ping_interval_ms=500,
            pong_timeout_ms=400,
            first_pause_ms=5,
            longest_pause_ms=50,
        ),
    )


@asynccontextmanager
async def running(
    venue: BybitVenue, exchange: SimExchange, market: SyntheticMarket
) -> AsyncIterator[tuple[Endpoints, asyncio.Task[None]]]:
    """The venue, serving, and its market, being played."""
    endpoints = await venue.start()
    player = asyncio.create_task(play(market, exchange, symbol_of(market.instrument), SPEED))
    try:
        yield endpoints, player
    finally:
        player.cancel()
        await asyncio.gather(player, return_exceptions=True)
        await venue.close()


# -- the end of it --------------------------------------------------------------------------------------------------


async def calm_down(engine: LiveEngine, trader: ChaosTrader) -> None:
    """End the trading, and wait until every request is answered and the gateway says that it knows all."""
    gateway = engine.env.desks[BYBIT].gateway
    trader.is_trading = False
    await until(lambda: trader.is_answered, lambda: f"unanswered: {+(trader.asked - trader.told)}")
    await until(lambda: gateway.status is GtwStatus.ReadyToTrade, lambda: f"the gateway is {gateway.status}")


async def compare_open_orders(engine: LiveEngine, exchange: SimExchange, account: Account) -> None:
    """Hold what is still open here to what is open there, before anything is done that would bring out the truth."""
    desk = engine.env.desks[BYBIT]

    def here() -> set[tuple[object, ...]]:
        return {(order.wire_id, order.price, order.qty, order.cum_qty) for order in desk.open_orders()}

    def there() -> set[tuple[object, ...]]:
        return {
            (order.link_id, order.price, order.qty, order.cum_qty) for order in exchange.open_orders(account)
        }

    await until(
        lambda: here() == there(), lambda: f"open here: {here() - there()}; open there: {there() - here()}"
    )


async def end(engine: LiveEngine, trader: ChaosTrader) -> None:
    """Cancel what is open, and stop the strategy."""
    trader.cancel_all()
    await until(lambda: trader.is_answered, lambda: f"unanswered: {+(trader.asked - trader.told)}")
    await engine.stop()
    failed = engine.env.dispatcher.failure
    if failed is not None:
        raise failed


async def compare(engine: LiveEngine, exchange: SimExchange, account: Account, trader: ChaosTrader) -> None:
    """Hold the strategy's books, and what it was told, to the venue's; raises Disagreement."""
    exchange.check_conservation()
    desk = engine.env.desks[BYBIT]
    await until(lambda: not desk.open_orders(), lambda: f"open here: {desk.open_orders()}")
    await until(
        lambda: not exchange.open_orders(account), lambda: f"open there: {exchange.open_orders(account)}"
    )
    await until(
        lambda: fills_told(engine, trader) == fills_booked(exchange, account),
        lambda: difference(fills_told(engine, trader), fills_booked(exchange, account)),
    )
    check_orders(engine, exchange, account, trader)
    check_stories(trader)
    (shown,) = (exchange.book(symbol) for symbol in exchange.instruments)
    await until(
        lambda: top_of(trader.book) == top_of(shown), lambda: f"{top_of(trader.book)}, not {top_of(shown)}"
    )
    await check_money(engine, exchange, account, trader)


Fill = tuple[str, str, Price, Qty]


def fills_told(engine: LiveEngine, trader: ChaosTrader) -> Counter[Fill]:
    """What the strategy was told, by the name that the venue knows an order by."""
    desk = engine.env.desks[BYBIT]
    told: Counter[Fill] = Counter()
    for name, side, price, qty in trader.fills:
        order = desk.order(name)
        assert order is not None
        told[order.wire_id, side.name, price, qty] += 1
    return told


def fills_booked(exchange: SimExchange, account: Account) -> Counter[Fill]:
    """What the venue's ledger holds."""
    return Counter((fill.link_id, fill.side.name, fill.price, fill.qty) for fill in exchange.fills(account))


def top_of(book: PriceLevelBook) -> list[tuple[Price, Qty]]:
    """The best ten levels of each side."""
    levels = (*book.get_lvls(Side.Buy, 10), *book.get_lvls(Side.Sell, 10))
    return [(level.get_price(), level.get_qty()) for level in levels]


def difference(told: Counter[Fill], booked: Counter[Fill]) -> str:
    return f"fills told and not booked: {+(told - booked)}; booked and not told: {+(booked - told)}"


ENDS = {"filled": OrderState.Filled, "cancelled": OrderState.Cancelled, "reject": OrderState.Rejected}


def check_orders(engine: LiveEngine, exchange: SimExchange, account: Account, trader: ChaosTrader) -> None:
    """Every order is at the venue what the strategy was told, and the other way round."""
    desk = engine.env.desks[BYBIT]
    booked = {order.link_id: order for order in exchange.recent_orders(account)}
    for name in [about for what, about in trader.asked if what == "new"]:
        order, story = desk.order(name), trader.stories[name]
        there = booked.pop(order.wire_id, None) if order is not None else None
        end = ENDS.get(next((event for event in reversed(story) if event in ENDS), ""))
        if there is None:
            expect(end is OrderState.Rejected, f"{name} is not known at the venue, and was told {story}")
            continue
        assert order is not None
        ended_as = (
            OrderState.Cancelled if there.state is OrderState.Rejected and "ack" in story else there.state
        )
        expect(end is ended_as, f"{name} is {there.state.name} at the venue, and was told {story}")
        expect(order.cum_qty == there.cum_qty, f"{name}: filled {order.cum_qty} here, {there.cum_qty} there")
        # A change that would have made a post-only order take ended it, and counts as refused.
        if there.end_reason is not EndReason.PostOnlyWouldCross and there.price is not None:
            ours, theirs = (order.price, order.qty), (there.price, there.qty)
            expect(ours == theirs, f"{name}: {ours} here, {theirs} there; {story}")
    expect(not booked, f"orders that the strategy has not sent: {list(booked)}")


def check_stories(trader: ChaosTrader) -> None:
    """Every request has one answer, and the callbacks about each order come in a legal order."""
    expect(trader.told == trader.asked, f"answers {trader.told - trader.asked} too many")
    for name, story in trader.stories.items():
        expect(story[0] in ("ack", "reject") or is_early_refusal(story), f"{name}: begins with {story}")
        ends = [event for event in story if event in ENDS]
        expect(len(ends) == 1, f"{name}: ends {len(ends)} times: {story}")
        after = story[story.index(ends[0]) + 1 :]
        late = {"modify refused", "cancel refused", "modified", "cancel taken"}
        expect(set(after) <= late, f"{name}: goes on after its end: {story}")


def is_early_refusal(story: list[str]) -> bool:
    """Whether requests about an order that was not acknowledged yet were refused first."""
    early = story[: next(i for i, event in enumerate(story) if event in ("ack", "reject"))]
    return set(early) <= {"modify refused", "cancel refused", "cancel taken"}


async def check_money(
    engine: LiveEngine, exchange: SimExchange, account: Account, trader: ChaosTrader
) -> None:
    """Position and profit are the venue's; in parts they need not be, for they depend on the order of the fills."""
    (symbol, instrument), desk = next(iter(exchange.instruments.items())), engine.env.desks[BYBIT]
    ours, mark = engine.env.portfolio.position(instrument), exchange.mark_price(symbol)
    assert mark is not None
    profit = ours.realised + ours.unrealised(mark) - ours.fees
    if instrument.get_instrument_type() is InstrumentType.Spot:
        base, quote = (
            account.wallet(coin).balance - DEPOSITS[coin].to_mldecimal() for coin in ("BTC", "USDT")
        )
        size, booked = Qty.from_mantissa(base.mantissa), quote + base * mark
    else:
        position = account.position(symbol)
        size, booked = position.size, position.realised_pnl + position.unrealised_pnl - position.fees
        await until(
            lambda: desk.venue_position(instrument) == size or not trader.fills,
            lambda: f"the venue's position was told as {desk.venue_position(instrument)}, it is {size}",
        )
    expect(ours.size == size, f"position {ours.size} here, {size} there")
    expect(profit == booked, f"profit {profit} here, {booked} there")
    wallets = {coin: Qty.from_mantissa(account.wallet(coin).balance.mantissa) for coin in trader.wallets}
    await until(
        lambda: trader.wallets == wallets, lambda: f"wallets told {trader.wallets}, they are {wallets}"
    )


def expect(holds: bool, complaint: str) -> None:
    if not holds:
        raise Disagreement(complaint)


async def until(condition: Callable[[], bool], complaint: Callable[[], str]) -> None:
    """Wait for a condition; raises Disagreement when it does not come about."""
    deadline = time.monotonic() + SETTLE_S
    while not condition():
        if time.monotonic() > deadline:
            raise Disagreement(complaint())
        await asyncio.sleep(0.005)
