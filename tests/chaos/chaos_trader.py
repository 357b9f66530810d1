"""A strategy that trades all the time, and writes down what it asked for and what it was told."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import Any

from mlthon.basics.defs import TIF, Exchange, ExecInstructions, FeedHandlerStatus, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument
from mlthon.order.books.price_level_book import PriceLevelBook

BYBIT = Exchange.Bybit
ACT_EVERY_MS = 5
WEIGHTS = {"new": 50, "modify": 20, "cancel": 22, "cancel_all": 1}


class ChaosTrader:
    """Orders of every kind around the market, changed and cancelled at random.

    ``stories`` holds, by client id, the names of the callbacks about each order, in order.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"trader {seed}")
        self.is_trading = True
        self.asked: Counter[tuple[str, str]] = Counter()  # what, about which order
        self.told: Counter[tuple[str, str]] = Counter()  # the final answers to it
        self.stories: defaultdict[str, list[str]] = defaultdict(list)
        self.fills: list[tuple[str, Side, Price, Qty]] = []
        self.book = PriceLevelBook()
        self.wallets: dict[str, Qty] = {}  # what was told last, by coin
        self.live: dict[str, None] = {}  # orders that have not ended, as far as we were told
        self._mid: Price | None = None
        self._bid: Price | None = None
        self._instrument: Instrument | None = None
        self._count = 0

    # -- life

    def on_framework_connected(self, env: Any) -> None:
        self.env = env
        env.login("chaos")

    def on_instruments(self, instruments: list[Instrument]) -> None:
        (self._instrument,) = instruments

    def on_start(self, params: str) -> None:
        self.env.setup_timer(ACT_EVERY_MS, self.act)

    def on_stop(self, params: str) -> None:
        self.is_trading = False
        self.env.send_stop_ack()

    def on_best_bid_level_update(
        self, exchange: Exchange, number: int, price: Price, qty: Qty, ts: int
    ) -> None:
        self._bid = price

    def on_best_ask_level_update(
        self, exchange: Exchange, number: int, price: Price, qty: Qty, ts: int
    ) -> None:
        if self._bid is not None and self._bid > Price("0") and price > Price("0"):
            self._mid = (self._bid + price) / 2

    def on_feed_handler_status(self, exchange: Exchange, status: FeedHandlerStatus, detail: str) -> None:
        if status is FeedHandlerStatus.SnapshotStart:
            self.book.clear()

    def on_add_price_level(
        self, exchange: Exchange, number: int, side: Side, price: Price, qty: Qty, ts: int
    ) -> None:
        self.book.add_lvl(side, price, qty)

    def on_modify_price_level(
        self, exchange: Exchange, number: int, side: Side, price: Price, qty: Qty, ts: int
    ) -> None:
        self.book.modify_lvl_qty(side, price, qty)

    def on_delete_price_level(
        self, exchange: Exchange, number: int, side: Side, price: Price, ts: int
    ) -> None:
        self.book.delete_lvl(side, price)

    # -- requests

    def act(self) -> bool:
        """Ask for something, or for a few things at once."""
        if self._mid is not None and self.is_trading:
            for _ in range(self.rng.choice((0, 1, 1, 1, 3))):
                (what,) = self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))
                getattr(self, what)()
        return self.is_trading

    def new(self) -> None:
        assert self._instrument is not None
        self._count += 1
        name = f"c{self._count}"
        kind, tif = self.rng.choice(
            [
                *[(OrderType.Limit, TIF.GTC)] * 6,
                *[(OrderType.Limit, TIF.IOC)] * 2,
                (OrderType.Limit, TIF.FOK),
                (OrderType.Market, TIF.IOC),
            ]
        )
        post_only = tif is TIF.GTC and self.rng.random() < 0.3
        self.ask("new", name)
        self.live[name] = None
        self.env.send_new_order(
            name,
            BYBIT,
            self._instrument.get_instrument_id(),
            self.rng.choice((Side.Buy, Side.Sell)),
            self.price() if kind is OrderType.Limit else None,
            self.qty(),
            ExecInstructions.PostOnly if post_only else ExecInstructions.Unset,
            kind,
            tif,
            self.rng.random() < 0.1 and self._instrument.get_instrument_type().name != "Spot",
        )

    def modify(self) -> None:
        if self.live:
            name = self.rng.choice(list(self.live))
            self.ask("modify", name)
            price = self.price() if self.rng.random() < 0.8 else None
            qty = self.qty() if price is None or self.rng.random() < 0.3 else None
            self.env.send_modify_order(BYBIT, name, price, qty)

    def cancel(self) -> None:
        assert self._instrument is not None
        if self.live:
            name = self.rng.choice(list(self.live))
            self.ask("cancel", name)
            self.env.send_cancel_order(BYBIT, self._instrument.get_instrument_id(), name)

    def cancel_all(self) -> None:
        assert self._instrument is not None
        self.ask("cancel_all", "")
        self.env.send_cancel_all(BYBIT, self._instrument.get_instrument_id())

    def ask(self, what: str, about: str) -> None:
        self.asked[what, about] += 1

    def price(self) -> Price:
        assert self._instrument is not None and self._mid is not None
        tick = self._instrument.get_price_tick_rules()
        reach = self.rng.choice((5, 20, 200))
        return self._mid.round_nearest(tick) + tick * self.rng.randint(-reach, reach)

    def qty(self) -> Qty:
        assert self._instrument is not None
        return self._instrument.get_quantity_tick_rules() * self.rng.randint(1, 400)

    # -- answers

    @property
    def is_answered(self) -> bool:
        return all(self.told[request] >= count for request, count in self.asked.items())

    def tell(self, what: str, about: str, event: str) -> None:
        self.told[what, about] += 1
        self.stories[about].append(event)

    def on_new_order_ack(self, exchange: Exchange, name: str, *_: object) -> None:
        self.tell("new", name, "ack")

    def on_new_order_reject(self, exchange: Exchange, name: str, *why: object) -> None:
        self.tell("new", name, "reject")
        self.live.pop(name, None)

    def on_modify_order_ack(
        self, exchange: Exchange, name: str, price: Price | None, qty: Qty | None, leaves_qty: Qty
    ) -> None:
        """Note a change; one that takes away all that was open ends the order."""
        is_end = leaves_qty.is_zero() and name in self.live
        self.tell("modify", name, "filled" if is_end else "modified")
        if is_end:
            self.live.pop(name)

    def on_modify_order_reject(self, exchange: Exchange, name: str, *_: object) -> None:
        self.tell("modify", name, "modify refused")

    def on_cancel_order_ack(self, exchange: Exchange, name: str) -> None:
        self.tell("cancel", name, "cancel taken")

    def on_cancel_order_reject(self, exchange: Exchange, name: str, *_: object) -> None:
        self.tell("cancel", name, "cancel refused")

    def on_cancel_all_ack(self, *_: object) -> None:
        self.told["cancel_all", ""] += 1

    def on_cancel_all_reject(self, *_: object) -> None:
        self.told["cancel_all", ""] += 1

    def on_order_execution(
        self, exchange: Exchange, name: str, side: Side, price: Price, qty: Qty, leaves_qty: Qty, *_: int
    ) -> None:
        self.fills.append((name, side, price, qty))
        self.stories[name].append("filled" if leaves_qty.is_zero() else "fill")
        if leaves_qty.is_zero():
            self.live.pop(name, None)

    def on_order_cancelled(self, exchange: Exchange, name: str, *_: object) -> None:
        self.stories[name].append("cancelled")
        self.live.pop(name, None)

    def on_wallet_info(self, exchange: Exchange, coin: str, total: Qty, available: Qty) -> None:
        self.wallets[coin] = total
