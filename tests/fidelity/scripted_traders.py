"""Strategies from a seed: one acts by the clock, one by what the market shows, one sends too much."""

from __future__ import annotations

import random
from typing import Any

from mlthon.api.istrat_env import IStratEnv, MDSub
from mlthon.basics.defs import TIF, Exchange, ExecInstructions, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.spot import Spot

__all__ = ["BookTrader", "BusyTrader", "StairTrader", "TimedTrader"]

_BYBIT = Exchange.Bybit
_TICK_MS = 53  # no divisor of anything: its ties with other things are rare, and other tests see to them
_BUSY_TICK_MS = 7
_CANCEL_ALL_EVERY = 97  # ticks
_STAIR_TICK_MS = 1_000  # so that the rate limits leave room


class _Trader:
    """What both have in common: what they remember, and how they send."""

    wanted: tuple[MDSub, ...] = (MDSub.BBO,)

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"{type(self).__name__} {seed}")
        self.env: IStratEnv
        self.instrument: Instrument
        self.best: dict[Side, Price] = {}
        self.live: dict[str, None] = {}
        self.names: list[str] = []

    def on_framework_connected(self, env: IStratEnv) -> None:
        self.env = env
        env.login(type(self).__name__)

    def on_instruments(self, instruments: list[Instrument]) -> None:
        [self.instrument] = instruments
        number = self.instrument.get_instrument_id()
        self.env.subscribe_to_market_data(_BYBIT, [number], self.wanted)
        self.env.request_execution_connection(_BYBIT, [number])

    def on_stop(self, params: str) -> None:
        self.env.send_stop_ack()

    def on_best_bid_level_update(self, _e: Exchange, _n: int, price: Price, _q: Qty, _ms: int) -> None:
        self.best[Side.Buy] = price

    def on_best_ask_level_update(self, _e: Exchange, _n: int, price: Price, _q: Qty, _ms: int) -> None:
        self.best[Side.Sell] = price

    def on_gateway_status(self, *_: object) -> None: ...

    def on_feed_handler_status(self, *_: object) -> None: ...

    # -- requests ----------------------------------------------------------------------------------------------

    def new(
        self, ticks_in: int, *, side: Side | None = None, tif: TIF = TIF.GTC, lots: int = 200, **how: Any
    ) -> None:
        """Send an order at the best price of its side, or so many ticks nearer to the other side."""
        side = side or self.rng.choice((Side.Buy, Side.Sell))
        name = f"c{len(self.names)}"
        self.names.append(name)
        tick, lot = self.instrument.get_price_tick_rules(), self.instrument.get_quantity_tick_rules()
        step = tick * (ticks_in if side is Side.Buy else -ticks_in)
        is_market = how.get("is_market", False)
        self.live[name] = None
        self.env.send_new_order(
            name,
            _BYBIT,
            self.instrument.get_instrument_id(),
            side,
            None if is_market else self.best[side] + step,
            lot * self.rng.randint(1, lots),
            ExecInstructions.PostOnly if how.get("post_only") else ExecInstructions.Unset,
            OrderType.Market if is_market else OrderType.Limit,
            TIF.IOC if is_market else tif,
            how.get("reduce", False) and not isinstance(self.instrument, Spot),
        )

    def amend(self) -> None:
        """Change the price of a live order, or its quantity, or both."""
        if not self.live:
            return
        name = self.rng.choice(list(self.live))
        tick, lot = self.instrument.get_price_tick_rules(), self.instrument.get_quantity_tick_rules()
        near = self.best[self.rng.choice((Side.Buy, Side.Sell))]
        price = near + tick * self.rng.randint(-4, 4)
        qty = lot * self.rng.randint(1, 400)
        which = self.rng.choice(("price", "qty", "both"))
        self.env.send_modify_order(
            _BYBIT, name, None if which == "qty" else price, None if which == "price" else qty
        )

    def cancel(self) -> None:
        """Cancel a live order; now and then one that has ended."""
        of = list(self.live) if self.live and self.rng.random() < 0.9 else self.names
        if of:
            name = self.rng.choice(of)
            self.env.send_cancel_order(_BYBIT, self.instrument.get_instrument_id(), name)

    def cancel_all(self) -> None:
        self.env.send_cancel_all(_BYBIT, self.instrument.get_instrument_id())

    # -- what became of them -----------------------------------------------------------------------------------

    def on_new_order_ack(self, *_: object) -> None: ...

    def on_new_order_reject(self, _e: Exchange, name: str, *_: object) -> None:
        self.live.pop(name, None)

    def on_modify_order_ack(self, _e: Exchange, name: str, _p: object, _q: object, leaves: Qty) -> None:
        if leaves.is_zero():
            self.live.pop(name, None)

    def on_modify_order_reject(self, *_: object) -> None: ...

    def on_cancel_order_ack(self, *_: object) -> None: ...

    def on_cancel_order_reject(self, *_: object) -> None: ...

    def on_cancel_all_ack(self, *_: object) -> None: ...

    def on_cancel_all_reject(self, *_: object) -> None: ...

    def on_position_info(self, *_: object) -> None: ...

    def on_wallet_info(self, *_: object) -> None: ...

    def on_rate_limit_info(self, *_: object) -> None: ...

    def on_order_execution(
        self, _e: Exchange, name: str, _s: Side, _p: Price, _q: Qty, leaves: Qty, *_: int
    ) -> None:
        if leaves.is_zero():
            self.live.pop(name, None)

    def on_order_cancelled(self, _e: Exchange, name: str, *_: object) -> None:
        self.live.pop(name, None)


class TimedTrader(_Trader):
    """Acts every so many milliseconds, whatever the market does: quotes, amends, cancels, cancel-alls."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.ticks = 0

    def on_start(self, params: str) -> None:
        self.env.setup_timer(_TICK_MS, self.act)

    def act(self) -> bool:
        self.ticks += 1
        if len(self.best) < 2:
            return True
        if self.ticks % _CANCEL_ALL_EVERY == 0:
            self.cancel_all()
            return True
        for _ in range(self.rng.choice((0, 1, 1, 1, 2))):
            self.rng.choice(
                (
                    self.quote,
                    self.quote,
                    self.quote,
                    self.amend,
                    self.amend,
                    self.cancel,
                    self.take,
                )
            )()
        return True

    def quote(self) -> None:
        self.new(self.rng.choice((-3, -1, 0, 0, 0, 1)), post_only=self.rng.random() < 0.5)

    def take(self) -> None:
        if self.rng.random() < 0.5:
            self.new(0, is_market=True, reduce=self.rng.random() < 0.5)
        else:
            self.new(self.rng.choice((1, 5)), tif=self.rng.choice((TIF.IOC, TIF.FOK)), lots=4_000)


class BusyTrader(TimedTrader):
    """Sends in bursts: beyond every rate limit, beyond what it can pay, and at prices that nobody would take."""

    def on_start(self, params: str) -> None:
        self.env.setup_timer(_BUSY_TICK_MS, self.act)

    def act(self) -> bool:
        if len(self.best) == 2 and self.rng.random() < 0.25:
            burst = (self.quote, self.amend, self.cancel_some, self.take, self.overreach, self.cancel_all)
            (act,) = self.rng.choices(burst, (6, 5, 5, 2, 2, 1))
            for _ in range(self.rng.randint(1, 6) if act in (self.quote, self.amend) else 1):
                act()
        return True

    def cancel_some(self) -> None:
        """Cancel many at once."""
        for name in list(self.live)[: self.rng.randint(1, 25)]:
            self.env.send_cancel_order(_BYBIT, self.instrument.get_instrument_id(), name)

    def overreach(self) -> None:
        """Ask for too much, too far away, or for more than is to be reduced."""
        how = self.rng.choice(("much", "far", "reduce"))
        ticks_in = self.rng.choice((-500_000, -100_000, 100_000_000)) if how == "far" else 1
        lots = 10 ** self.rng.randint(4, 9) if how == "much" else 200
        tif = self.rng.choice((TIF.GTC, TIF.IOC, TIF.FOK))
        self.new(ticks_in, lots=lots, tif=tif, reduce=how == "reduce")


class BookTrader(_Trader):
    """Acts on what it is shown: joins, takes, posts what would cross, reduces, modifies."""

    wanted = (MDSub.PriceLevelBook, MDSub.BBO, MDSub.PublicTrades)

    def on_best_bid_level_update(self, _e: Exchange, _n: int, price: Price, _q: Qty, _ms: int) -> None:
        moved = self.best.get(Side.Buy) != price
        self.best[Side.Buy] = price
        if moved and len(self.best) == 2:
            self.on_move(Side.Buy)

    def on_best_ask_level_update(self, _e: Exchange, _n: int, price: Price, _q: Qty, _ms: int) -> None:
        moved = self.best.get(Side.Sell) != price
        self.best[Side.Sell] = price
        if moved and len(self.best) == 2:
            self.on_move(Side.Sell)

    def on_add_price_level(self, *_: object) -> None: ...

    def on_modify_price_level(self, *_: object) -> None: ...

    def on_delete_price_level(self, *_: object) -> None: ...

    def on_move(self, side: Side) -> None:
        what = self.rng.random()
        if what < 0.25:
            self.new(0, side=side, post_only=self.rng.random() < 0.5)
        elif what < 0.35:
            self.amend()
        elif what < 0.45:
            self.cancel()
        elif what < 0.47:
            self.cancel_all()

    def on_public_trade(self, _e: Exchange, _n: int, side: Side, price: Price, qty: Qty, *_: int) -> None:
        if len(self.best) < 2 or self.best[Side.Buy].is_zero() or self.best[Side.Sell].is_zero():
            return
        what = self.rng.random()
        if what < 0.05:
            self.new(self.rng.choice((1, 8)), side=side, tif=self.rng.choice((TIF.IOC, TIF.FOK)), lots=4_000)
        elif what < 0.08:
            self.new(50, side=side, post_only=True)
        elif what < 0.12:
            self.new(0, is_market=self.rng.random() < 0.5, reduce=True)
        elif what < 0.2:
            self.new(0)
        elif what < 0.25:
            self.amend()

    def on_order_execution(self, _e: Exchange, name: str, *fill: Any) -> None:
        super().on_order_execution(_e, name, *fill)
        if self.rng.random() < 0.3:
            self.new(-1)
        elif self.rng.random() < 0.2:
            self.amend()


class StairTrader(_Trader):
    """Buys, puts bids where nobody else is, and takes them all away; then buys and bids again, and stays.

    It answers each move of the best bid, so that one move more is one order more.
    """

    wanted = (MDSub.PriceLevelBook, MDSub.BBO)

    def on_start(self, params: str) -> None:
        self.plan = iter((self.build, self.cancel_all, self.build))
        self.env.setup_timer(_STAIR_TICK_MS, self.act)

    def act(self) -> bool:
        step = next(self.plan, None)
        if step is not None:
            step()
        return step is not None

    def build(self) -> None:
        self.new(0, side=Side.Buy, is_market=True, lots=1)
        for ticks_in in (30, 20, 10):  # the best first, as the oldest are cancelled first
            self.new(ticks_in, side=Side.Buy, lots=1)

    def on_best_bid_level_update(self, _e: Exchange, _n: int, price: Price, _q: Qty, _ms: int) -> None:
        has_moved = self.best.get(Side.Buy, price) != price
        self.best[Side.Buy] = price
        if has_moved:
            self.new(-100, side=Side.Buy, lots=1)

    def on_add_price_level(self, *_: object) -> None: ...

    def on_modify_price_level(self, *_: object) -> None: ...

    def on_delete_price_level(self, *_: object) -> None: ...
