"""OrderMgr against a venue whose messages arrive late, in any order and, where that can be told, more than once.

The venue keeps the truth. Whatever arrives when, the manager must not take an order for ended that still trades,
and must agree with the venue once everything has arrived.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from mlthon.basics.defs import OrderStatus, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.order_mgr import OrderMgr

INSTRUMENT = 30000000000
HISTORIES = 250  # a seed
STEPS = 40
ZERO = Qty(0)

# An answer names no request, so that of a modify, or of a cancel, may not be repeated: see `mlthon._core.order`.
REPEATABLE = {"new_ack", "new_reject", "cancel_ack", "fill", "cancelled"}


@dataclass
class VenueOrder:
    """One order in truth, in whole lots."""

    qty: int
    price: int
    cum: int = 0
    end: OrderStatus | None = None
    is_acked: bool = False
    was_resized: bool = False
    fills: Counter[tuple[int, int]] = field(default_factory=Counter)  # (qty, leaves)

    @property
    def is_live(self) -> bool:
        return self.is_acked and self.end is None

    @property
    def leaves(self) -> int:
        return self.qty - self.cum if self.end is None else 0


@dataclass
class Request:
    client_id: str
    kind: str
    new_price: int | None = None
    new_qty: int | None = None


@dataclass
class Message:
    client_id: str
    kind: str
    fields: dict[str, Any] = field(default_factory=dict)


class Race:
    """A strategy, a venue, and what is on its way between them."""

    def __init__(self, rng: Random, tells_leaves: bool, repeats: bool) -> None:
        self.rng = rng
        self.tells_leaves = tells_leaves
        self.repeats = repeats
        self.mgr = OrderMgr("race")
        self.venue: dict[str, VenueOrder] = {}
        self.requests: list[Request] = []  # arrive in order
        self.messages: list[Message] = []  # arrive in any order
        self.delivered: list[Message] = []
        self.repeated: set[str] = set()
        self.awaited: dict[str, Counter[str]] = {}
        self.ended: set[str] = set()

    def run(self) -> None:
        actions = [self.send_new] + 3 * [self.send_modify] + [self.send_cancel]
        actions += 3 * [self.take_request] + [self.refuse_request] + 4 * [self.fill] + [self.cancel_unasked]
        actions += 6 * [self.deliver] + [self.deliver_again]
        self.send_new()
        for _ in range(STEPS):
            self.rng.choice(actions)()
            self.check()
        while self.requests:
            self.take_request()
        while self.messages:
            self.deliver()
            self.check()
        self.check_agreement()

    # -- the strategy ----------------------------------------------------------------------------------------

    def send_new(self) -> None:
        if len(self.venue) == 2:
            return
        qty = self.rng.randint(1, 10)
        order = self.mgr.prepare_new_order(INSTRUMENT, Side.Buy, Price(100), Qty(qty))
        assert order is not None
        client_id = order.get_client_id()
        self.venue[client_id] = VenueOrder(qty, 100)
        self.awaited[client_id] = Counter(["new"])
        self.requests.append(Request(client_id, "new"))

    def send_modify(self) -> None:
        client_id = self.any_order()
        new_price = self.rng.choice([None, 99, 101])
        new_qty = self.rng.choice([None, self.rng.randint(1, 12)])
        if new_price is new_qty is None or not self.mgr.prepare_modify_order(client_id, new_price, new_qty):
            return
        self.awaited[client_id]["modify"] += 1
        self.requests.append(Request(client_id, "modify", new_price, new_qty))

    def send_cancel(self) -> None:
        client_id = self.any_order()
        if self.mgr.prepare_cancel_order(client_id):
            self.awaited[client_id]["cancel"] += 1
            self.requests.append(Request(client_id, "cancel"))

    def any_order(self) -> str:
        return self.rng.choice(list(self.venue))

    # -- the venue -------------------------------------------------------------------------------------------

    def take_request(self) -> None:
        if self.requests:
            request = self.requests.pop(0)
            getattr(self, f"take_{request.kind}")(request, self.venue[request.client_id])

    def take_new(self, request: Request, order: VenueOrder) -> None:
        order.is_acked = True
        self.tell(request.client_id, "new_ack", price=order.price, leaves_qty=order.leaves)

    def take_modify(self, request: Request, order: VenueOrder) -> None:
        if not order.is_live:
            self.tell(request.client_id, "modify_reject")
            return
        if request.new_qty is not None and request.new_qty != order.qty:
            order.was_resized = True
            order.qty = max(request.new_qty, order.cum)
            if order.leaves == 0:
                order.end = OrderStatus.Filled
        order.price = order.price if request.new_price is None else request.new_price
        self.tell(
            request.client_id,
            "modify_ack",
            new_price=order.price,
            new_qty=order.qty,
            leaves_qty=order.leaves,
        )

    def take_cancel(self, request: Request, order: VenueOrder) -> None:
        if not order.is_live:
            self.tell(request.client_id, "cancel_reject")
            return
        order.end = OrderStatus.Cancelled
        self.tell(request.client_id, "cancel_ack")
        self.tell(request.client_id, "cancelled")

    def refuse_request(self) -> None:
        if self.requests:
            request = self.requests.pop(0)
            if request.kind == "new":
                self.venue[request.client_id].end = OrderStatus.Rejected
            self.tell(request.client_id, f"{request.kind}_reject")

    def fill(self) -> None:
        client_id = self.any_order()
        order = self.venue[client_id]
        if order.is_live:
            qty = self.rng.randint(1, order.leaves)
            order.cum += qty
            leaves = order.leaves
            if leaves == 0:
                order.end = OrderStatus.Filled
            order.fills[qty, leaves] += 1
            self.tell(client_id, "fill", qty=qty, leaves_qty=leaves)

    def cancel_unasked(self) -> None:
        client_id = self.any_order()
        if self.venue[client_id].is_live:
            self.venue[client_id].end = OrderStatus.Cancelled
            self.tell(client_id, "cancelled")

    def tell(self, client_id: str, kind: str, **fields: Any) -> None:
        if not self.tells_leaves:
            fields["leaves_qty"] = None
        self.messages.append(Message(client_id, kind, fields))

    # -- between them ----------------------------------------------------------------------------------------

    def deliver(self) -> None:
        if self.messages:
            message = self.messages.pop(self.rng.randrange(len(self.messages)))
            self.delivered.append(message)
            self.apply(message)

    def deliver_again(self) -> None:
        if not self.repeats or not self.delivered:
            return
        message = self.rng.choice(self.delivered)
        if message.kind in REPEATABLE and (self.tells_leaves or message.kind != "fill"):
            self.repeated.add(message.client_id)
            self.apply(message)

    def apply(self, message: Message) -> None:
        mgr, client_id, told = self.mgr, message.client_id, message.fields
        if message.kind in ("new_ack", "new_reject", "modify_ack", "modify_reject", "cancel_reject"):
            self.awaited[client_id][message.kind.partition("_")[0]] = 0
        leaves = told.get("leaves_qty")
        match message.kind:
            case "new_ack":
                assert mgr.apply_new_order_ack(client_id, "ex", told["price"], leaves) is True
            case "modify_ack":
                price, qty = told["new_price"], told["new_qty"]
                assert mgr.apply_modify_order_ack(client_id, leaves, new_price=price, new_qty=qty) is True
            case "fill":
                is_filled = mgr.apply_order_execution(client_id, told["qty"], leaves)
                assert is_filled in (True, False)
                assert not (is_filled and self.order(client_id).is_open())
            case "cancelled":
                assert mgr.apply_order_cancelled(client_id) is True
            case _:
                request, _, answer = message.kind.partition("_")
                assert getattr(mgr, f"apply_{request}_order_{answer}")(client_id) is True

    # -- what must hold --------------------------------------------------------------------------------------

    def order(self, client_id: str):
        order = self.mgr.get_order_with_client_id(client_id)
        assert order is not None
        return order

    def check(self) -> None:
        """After every step: nothing live is taken for ended, an end is final, flags and counts are right."""
        for client_id, truth in self.venue.items():
            order = self.order(client_id)
            flags = order.is_new_pending(), order.is_modify_pending(), order.is_cancel_pending()
            assert order.has_any_pending_request() is any(flags)
            if order.is_open():
                assert client_id not in self.ended
                assert flags == tuple(
                    self.awaited[client_id][kind] > 0 for kind in ("new", "modify", "cancel")
                )
                assert ZERO <= order.get_leaves_qty() <= Qty(12)
                assert ZERO <= order.get_leaves_qty_after_modify_prep() <= Qty(12)
            else:
                assert truth.end is not None
                assert order.is_cancelled() is (truth.end is OrderStatus.Cancelled)
                assert not any(flags)
                assert order.get_leaves_qty() == order.get_leaves_qty_after_modify_prep() == ZERO
                self.ended.add(client_id)
        still_open = [order for client_id in self.venue if (order := self.order(client_id)).is_open()]
        assert self.mgr.get_open_orders() == still_open
        assert self.mgr.get_num_open_orders() == len(still_open)

    def check_agreement(self) -> None:
        """When everything has arrived, the manager knows what the venue knows."""
        for client_id, truth in self.venue.items():
            order = self.order(client_id)
            assert order.is_open() is (truth.end is None)
            if not order.is_open():
                continue
            assert order.get_price() == Price(truth.price)
            # Around a change of quantity two fills may look alike, as a repetition does.
            lookalikes = client_id in self.repeated or max(truth.fills.values(), default=0) > 1
            if not (truth.was_resized and lookalikes):
                assert order.get_leaves_qty() == Qty(truth.leaves)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("repeats", [False, True], ids=["once", "repeated"])
@pytest.mark.parametrize("tells_leaves", [True, False], ids=["leaves", "no-leaves"])
def test_the_manager_ends_up_with_the_truth(tells_leaves, repeats, seed):
    for number in range(HISTORIES):
        race = Race(Random(f"{seed}.{number}"), tells_leaves, repeats)
        try:
            race.run()
        except AssertionError:
            print(f"seed {seed}, history {number}: {race.venue}, delivered {race.delivered}")
            raise
