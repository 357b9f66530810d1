"""The engine against the naive matcher, on random markets and random clients: they must agree on everything."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from naive_matcher import AHEAD, BEHIND, PROPORTIONAL, NaiveMatcher, NaiveOrder

from mlthon._core.enums import Side
from mlthon._core.fixed import MLDecimal, Price, Qty
from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.matching import MatchingEngine

SIDES = (Side.Buy, Side.Sell)
ACCOUNTS = 3
EVENTS = 400
TICK, LOT = Decimal("0.5"), Decimal("0.001")


class Rehearsal:
    """Feeds the same random events to both matchers, and compares them after each."""

    def __init__(
        self, seed: int, *, bad_tape: float = 0.0, queue_rule: int = BEHIND, calm: bool = False
    ) -> None:
        self.rng = random.Random(seed)
        self.bad_tape = bad_tape
        self.calm = calm  # orders rest, and levels grow and shrink around them
        self.engine = MatchingEngine(queue_rule)
        self.naive = NaiveMatcher(ACCOUNTS, queue_rule)
        for _ in range(ACCOUNTS):
            self.engine.add_account()
        self.tape: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
        self.mid = 100
        self.next_id = 1
        self.now_ns = 0
        self.shadow: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
        self.kinds: dict[str, int] = {}
        self.asks_for_books = True

    def run(self, events: int) -> None:
        for number in range(events):
            kinds = (self.depth, self.trade, self.place, self.place, self.cancel, self.amend, self.move)
            event = self.rng.choices(kinds, (4, 4, 4, 4, 4, 4, 1))[0]
            told = event()
            self.compare(f"event {number}, {event.__name__}: {told}")

    # -- events --------------------------------------------------------------------------------------------

    def price(self, side: int = 0) -> Decimal:
        if self.calm:
            return (self.mid + self.rng.randint(1, 4) * (1 if side else -1)) * TICK
        return (self.mid + self.rng.randint(-6, 6)) * TICK

    def qty(self, most: int = 12) -> Decimal:
        return self.rng.randint(1, most) * LOT

    def depth(self) -> Any:
        self.mid += 0 if self.calm else self.rng.choice((-2, -1, 0, 0, 0, 1, 2))
        self.now_ns += self.rng.randint(0, 2)
        snapshot = self.rng.random() < 0.1
        message: tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]] = ([], [])
        if snapshot:
            self.tape[0].clear()
            self.tape[1].clear()
        for _ in range(self.rng.randint(0, 6)):
            side = self.rng.randint(0, 1)
            # Anywhere: a message may cross midway, and may say things twice.
            self.tell(message, side, self.price(side), self.rng.choice((Decimal(0), self.qty(), self.qty())))
        if self.rng.random() >= self.bad_tape:
            self.uncross(message)
        self.engine.apply_depth(
            DepthUpdate(*texts(message), is_snapshot=snapshot, venue_ns=self.now_ns, seq=self.now_ns)
        )
        self.naive.depth(*message, snapshot, self.now_ns)
        return message

    def uncross(self, message: Any) -> None:
        while self.tape[0] and self.tape[1] and max(self.tape[0]) >= min(self.tape[1]):
            side = self.rng.randint(0, 1)
            self.tell(message, side, min(self.tape[1]) if side else max(self.tape[0]), Decimal(0))

    def tell(self, message: Any, side: int, price: Decimal, qty: Decimal) -> None:
        message[side].append((price, qty))
        self.tape[side].pop(price, None)
        if qty:
            self.tape[side][price] = qty

    def trade(self) -> Any:
        side = self.rng.randint(0, 1)
        price, qty = self.price(1 - side), self.qty(20)
        late = self.rng.random() < 0.4
        at_ns = self.rng.choice(
            (0, max(self.now_ns - self.rng.randint(0, 3), 1) if late else self.now_ns + 1)
        )
        self.engine.apply_trade(PublicTrade(SIDES[side], str(price), str(qty), venue_ns=at_ns))
        self.naive.trade(side, price, qty, at_ns)
        return side, price, qty, at_ns

    def place(self) -> Any:
        flags: dict[str, Any] = self.rng.choice(
            (
                {},
                {},
                {},
                {"immediate": True},
                {"immediate": True, "whole": True},
                {"post_only": True},
            )
        )
        flags = {**flags, "reduce_only": self.rng.random() < 0.25, "self_trade": self.rng.randint(0, 3)}
        account, side, qty = self.rng.randrange(ACCOUNTS), self.rng.randint(0, 1), self.qty(25)
        price = None if self.rng.random() < 0.15 and not flags.get("post_only") else self.price(side)
        limits: dict[str, Decimal] = {}
        if price is None and not flags.get("whole") and self.rng.random() < 0.7:
            # Sometimes exactly what some lots cost.
            value = self.price() * self.qty() + self.rng.choice((0, 0, 1, 7)) * Decimal("0.0001")
            limits = {"max_value": value, "lot": LOT}
        order = NaiveOrder(self.next_id, account, side, price, qty, **flags, **limits)
        told = repr(order)
        self.engine.place(
            self.next_id,
            account,
            SIDES[side],
            Qty(qty),
            None if price is None else Price(price),
            **flags,
            max_value=MLDecimal(limits["max_value"]) if limits else None,
            lot=Qty(LOT) if limits else None,
        )
        self.naive.place(order)
        self.next_id += 1
        return told

    def move(self) -> Any:
        account, change = self.rng.randrange(ACCOUNTS), self.rng.choice((-1, 1)) * self.qty(30)
        self.engine.move_position(account, Qty(change))
        self.naive.move_position(account, change)
        return account, change

    def some_order(self) -> int | None:
        ids = sorted(order.order_id for order in self.naive.resting())
        return self.rng.choice(ids) if ids else None

    def cancel(self) -> Any:
        order_id = self.some_order()
        if order_id is not None and self.rng.random() < 0.5:
            self.engine.cancel(order_id)
            self.naive.cancel(order_id)
        return order_id

    def amend(self) -> Any:
        order_id = self.some_order()
        if order_id is None:
            return None
        order = self.naive.order(order_id)
        price = self.rng.choice((order.price, self.price(order.side)))
        leaves = self.rng.choice((order.leaves, self.qty(25)))
        self.engine.amend(order_id, Price(price), Qty(leaves))
        self.naive.amend(order_id, price, leaves)
        return order_id, price, leaves

    # -- agreement -----------------------------------------------------------------------------------------

    def compare(self, told: str) -> None:
        fills = [
            (order_id, price.to_decimal(), qty.to_decimal(), is_maker, other)
            for order_id, price, qty, is_maker, other in self.engine.take_fills()
        ]
        assert joined(fills) == joined(self.naive.fills), told
        ended = self.engine.take_ended()
        assert sorted(ended) == sorted(self.naive.ended), told
        for _, _, _, is_maker, _ in fills:
            self.count("maker" if is_maker else "taker")
        for _, code, _ in ended:
            self.count(f"ended {code}")
        self.naive.fills.clear()
        self.naive.ended.clear()
        for account in range(ACCOUNTS):
            assert self.engine.position(account).to_decimal() == self.naive.positions[account], told
        self.compare_orders(told)
        self.compare_books(told)

    def compare_orders(self, told: str) -> None:
        orders = list(self.naive.resting())
        assert len(self.engine) == len(orders), told
        for order in orders:
            assert self.engine.leaves_qty(order.order_id).to_decimal() == order.leaves, told
            ahead = self.engine.qty_ahead(order.order_id).to_decimal()
            assert ahead == self.naive.qty_ahead(order), f"{told}: ahead of {order}"
            self.count("behind somebody" if ahead else "first in its queue")

    def compare_books(self, told: str) -> None:
        changes = self.engine.last_changes()
        if changes is not None:
            for shadow, levels in zip(self.shadow, (changes.bids(), changes.asks()), strict=True):
                for price, qty in levels:
                    shadow.pop(price.to_decimal(), None)
                    if not qty.is_zero():
                        shadow[price.to_decimal()] = qty.to_decimal()
        for side, best in enumerate((self.engine.best_bid(), self.engine.best_ask())):
            shown = self.naive.displayed(side)
            assert (None if best is None else best.to_decimal()) == (shown[0][0] if shown else None), told
            assert shown == sorted(self.shadow[side].items(), reverse=side == 0), told
        if not self.asks_for_books:
            return
        book = self.engine.displayed
        for side, levels in enumerate((book.bids(), book.asks())):
            displayed = [(lvl.get_price().to_decimal(), lvl.get_qty().to_decimal()) for lvl in levels]
            assert displayed == self.naive.displayed(side), told
        if not self.bad_tape:
            assert not book.is_crossed(), told

    def count(self, kind: str) -> None:
        self.kinds[kind] = self.kinds.get(kind, 0) + 1


def joined(fills: list[Any]) -> list[Any]:
    """Fills with the market at one price, one after the other, are one: where they are cut means nothing."""
    merged: list[Any] = []
    for order_id, price, qty, is_maker, other in fills:
        total = qty
        if (
            other == 0
            and merged
            and merged[-1][:2] == (order_id, price)
            and merged[-1][3:] == (is_maker, other)
        ):
            total += merged.pop()[2]
        merged.append((order_id, price, total, is_maker, other))
    return merged


def texts(message: Any) -> list[list[tuple[str, str]]]:
    return [[(str(price), str(qty)) for price, qty in side] for side in message]


@pytest.mark.parametrize("seed", range(40))
def test_engine_agrees_with_the_naive_matcher_after_every_event(seed: int) -> None:
    rehearsal = Rehearsal(seed)
    rehearsal.run(EVENTS)
    assert rehearsal.engine.crossed_updates == 0


@pytest.mark.parametrize("seed", range(1000, 1010))
def test_engine_agrees_with_the_naive_matcher_on_a_tape_that_crosses_itself(seed: int) -> None:
    rehearsal = Rehearsal(seed, bad_tape=0.5)
    rehearsal.run(EVENTS)
    assert rehearsal.engine.crossed_updates > 0


@pytest.mark.parametrize("queue_rule", [PROPORTIONAL, AHEAD])
@pytest.mark.parametrize("seed", range(2000, 2010))
def test_engine_agrees_with_the_naive_matcher_on_who_cancels(seed: int, queue_rule: int) -> None:
    Rehearsal(seed, queue_rule=queue_rule, calm=seed % 2 == 0).run(EVENTS)


def test_the_queue_rules_differ_on_a_calm_market() -> None:
    rehearsal = Rehearsal(2000, queue_rule=PROPORTIONAL, calm=True)
    rehearsal.naive.queue_rule = AHEAD
    with pytest.raises(AssertionError, match="ahead of"):
        rehearsal.run(EVENTS)


@pytest.mark.parametrize("seed", range(3000, 3006))
def test_changes_suffice_where_nobody_asks_for_the_whole_book(seed: int) -> None:
    rehearsal = Rehearsal(seed, bad_tape=0.3)
    rehearsal.asks_for_books = False
    rehearsal.run(EVENTS)
    rehearsal.asks_for_books = True
    rehearsal.compare("at the end")


def test_the_rehearsal_reaches_every_rule() -> None:
    kinds: set[str] = set()
    for seed in range(3):
        rehearsal = Rehearsal(seed)
        rehearsal.run(EVENTS)
        kinds |= set(rehearsal.kinds)
    expected = {
        "maker",
        "taker",
        "behind somebody",
        "first in its queue",
        *(f"ended {code}" for code in range(1, 7)),
    }
    assert expected <= kinds


def test_the_same_events_give_the_same_fills() -> None:
    def fills_of(seed: int) -> list[Any]:
        rehearsal = Rehearsal(seed)
        taken: list[Any] = []
        for _ in range(100):
            rehearsal.run(1)
            taken.append(rehearsal.kinds.copy())
        return taken

    assert fills_of(7) == fills_of(7)
