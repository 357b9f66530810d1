"""The status line: what a running strategy is doing, once a second."""

from __future__ import annotations

import asyncio

from mlthon.basics.defs import Exchange
from mlthon.engine.strat_env import StratEnv
from mlthon.run.output import Output
from mlthon.run.simulated_venue import SimulatedVenue
from mlthon.run.summary import decimals_of, mark_prices

__all__ = ["print_status"]


async def print_status(env: StratEnv, exchange: Exchange, venue: SimulatedVenue, output: Output) -> None:
    """Print a line a second until cancelled: book top, position, profit, orders, rates."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    events, callbacks = 0, 0
    for second in range(1, 10**9):
        await asyncio.sleep(max(started + second - loop.time(), 0))
        desk = env.desks[exchange]
        events_now, callbacks_now = env.feeds[exchange].events + desk.events, env.dispatcher.callback_total
        portfolio = env.portfolio
        unrealised = portfolio.unrealised(mark_prices(env, exchange, venue))
        pnl = portfolio.realised() + unrealised - portfolio.fees()
        places = decimals_of(venue.terms.coin)
        output.line(
            f"{second:4d} s  {_top(env, exchange, venue)}  "
            f"position {portfolio.position(venue.instrument).size:+,.3f}  pnl {pnl:+,.{places}f}  "
            f"orders {desk.counts['sent']:,} sent {len(desk.open_orders())} open  fills {portfolio.fills:,}  "
            f"{events_now - events:,} events/s {callbacks_now - callbacks:,} callbacks/s"
        )
        events, callbacks = events_now, callbacks_now


def _top(env: StratEnv, exchange: Exchange, venue: SimulatedVenue) -> str:
    book = env.feeds[exchange].book(venue.instrument)
    if book is None or not env.feeds[exchange].is_live:
        return "no book"
    decimals = venue.instrument.get_price_precision() or 2
    bid, ask = next(iter(book.bids()), None), next(iter(book.asks()), None)
    bid_text = f"{bid.get_qty():.3f} x {bid.get_price():,.{decimals}f}" if bid is not None else "no bid"
    ask_text = f"{ask.get_price():,.{decimals}f} x {ask.get_qty():.3f}" if ask is not None else "no ask"
    return f"{bid_text} | {ask_text}"
