"""OrderMgr against a slow model, under calls in any order: legal, illegal, repeated, about unknown orders.

The model keeps every order's history and works each answer out anew from all of it, by the rules that
`mlthon._core.order` and the methods' docstrings give.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.order_mgr import OrderMgr

INSTRUMENTS = (1, 2)
CLIENT_IDS = ("m1", "m2", "m3", "unknown")


@dataclass
class Fill:
    qty: int
    leaves: int | None
    epoch: int  # how often the quantity had changed
    modify: int | None  # the number of the change of quantity that was pending
    least: int  # the smallest quantity so far
    was_open: bool


@dataclass
class PlainOrder:
    instrument: int
    qty: int
    price: int
    new_pending: bool = True
    cancel_pending: bool = False
    asked: tuple[int | None, int | None] | None = None  # by the pending modify
    end: str | None = None
    fills: list[Fill] = field(default_factory=list)
    quantities: list[int] = field(default_factory=list)  # had or asked for
    ack_proofs: list[int] = field(default_factory=list)
    ack_zero: bool = False
    epoch: int = 0
    modifies: int = 0
    resizing: set[int] = field(default_factory=set)  # the numbers of modifies that changed the quantity

    def filled(self) -> int:
        total = 0
        for index, fill in enumerate(self.fills):
            earlier = self.fills[:index]
            is_alike = any(
                (other.qty, other.leaves, other.epoch) == (fill.qty, fill.leaves, fill.epoch)
                for other in earlier
            )
            if fill.leaves is None or not is_alike or fill.modify in self.resizing:
                total += fill.qty
        proofs = [
            fill.least - fill.leaves for fill in self.fills if fill.leaves is not None and fill.was_open
        ]
        return max([total, 0, *proofs, *self.ack_proofs])

    def leaves(self, *, as_asked: bool = False) -> int:
        qty = self.asked[1] if as_asked and self.asked and self.asked[1] is not None else self.qty
        return 0 if self.end else max(0, qty - self.filled())

    def is_filled(self) -> bool:
        with_leaves = [fill for fill in self.fills if fill.leaves is not None]
        now = [fill for fill in with_leaves if fill.epoch == self.epoch]
        asked_qty = self.asked[1] if self.asked else None
        most = max(self.qty, asked_qty or 0)
        if most == self.qty and any(fill.leaves == 0 for fill in now):
            return True
        if self.filled() < most:
            return False
        said_zero = self.ack_zero or any(fill.leaves == 0 for fill in with_leaves)
        return said_zero or not (len(self.quantities) > 1 and now)

    def close(self, end: str) -> None:
        self.end = end
        self.new_pending = self.cancel_pending = False
        self.asked = None

    def close_if_filled(self) -> None:
        if not self.end and self.is_filled():
            self.close("Filled")

    def note_ack_leaves(self, leaves: int | None) -> None:
        if leaves == 0:
            self.ack_zero = True
        elif leaves is not None:
            self.ack_proofs.append(self.qty - leaves)


class PlainMgr:
    def __init__(self) -> None:
        self.orders: dict[str, PlainOrder] = {}
        self.cancel_alls: list[int | None] = []

    def blocked(self, instrument: int | None) -> bool:
        return instrument in self.cancel_alls or None in self.cancel_alls

    def new(self, instrument: int, qty: int) -> bool:
        if self.blocked(instrument):
            return False
        self.orders[f"m{len(self.orders) + 1}"] = PlainOrder(instrument, qty, 100, quantities=[qty])
        return True

    def modify(self, client_id: str, price: int | None, qty: int | None) -> bool:
        order = self.orders.get(client_id)
        if order is None or order.end or self.blocked(order.instrument):
            return False
        if order.new_pending or order.cancel_pending or order.asked:
            return False
        if qty is not None and qty <= order.filled():
            return False
        order.asked = price, qty
        order.modifies += 1
        order.quantities += [] if qty is None else [qty]
        return True

    def cancel(self, client_id: str) -> bool:
        order = self.orders.get(client_id)
        if order is None or order.end or order.cancel_pending:
            return False
        order.cancel_pending = True
        return True

    def cancel_all(self, instrument: int | None) -> bool:
        if self.blocked(instrument):
            return False
        self.cancel_alls.append(instrument)
        return True

    def answer_cancel_all(self, instrument: int | None) -> bool:
        if instrument is None:
            answered = list(self.cancel_alls)
        elif instrument in self.cancel_alls:
            answered = [instrument]
        else:
            answered = [None] if None in self.cancel_alls else []
        self.cancel_alls = [name for name in self.cancel_alls if name not in answered]
        return bool(answered)

    def new_ack(self, client_id: str, price: int | None, leaves: int | None) -> bool:
        order = self.orders.get(client_id)
        if order and order.new_pending:
            order.new_pending = False
            order.price = order.price if price is None else price
            order.note_ack_leaves(leaves)
        return order is not None

    def new_reject(self, client_id: str) -> bool:
        order = self.orders.get(client_id)
        if order and order.new_pending:
            order.new_pending = False
            if not order.filled():
                order.close("Rejected")
        return order is not None

    def modify_ack(self, client_id: str, leaves: int | None, price: int | None, qty: int | None) -> bool:
        order = self.orders.get(client_id)
        if order and order.asked:
            asked_price, asked_qty = order.asked
            price = asked_price if price is None else price
            qty = asked_qty if qty is None else qty
            order.asked = None
            order.price = order.price if price is None else price
            if qty is not None and qty != order.qty:
                order.qty = qty
                order.quantities.append(qty)
                order.epoch += 1
                order.resizing.add(order.modifies)
            order.note_ack_leaves(leaves)
            zero_ever = order.ack_zero or any(fill.leaves == 0 for fill in order.fills)
            if not leaves or zero_ever:
                order.close_if_filled()
        return order is not None

    def modify_reject(self, client_id: str) -> bool:
        order = self.orders.get(client_id)
        if order and order.asked:
            order.asked = None
            order.close_if_filled()
        return order is not None

    def cancel_reject(self, client_id: str) -> bool:
        order = self.orders.get(client_id)
        if order:
            order.cancel_pending = False
        return order is not None

    def execution(self, client_id: str, qty: int, leaves: int | None) -> bool | None:
        order = self.orders.get(client_id)
        if order is None:
            return None
        is_resizing = order.asked is not None and order.asked[1] is not None
        order.fills.append(
            Fill(
                qty,
                leaves,
                order.epoch,
                order.modifies if is_resizing else None,
                min(order.quantities),
                order.end is None,
            )
        )
        if order.end:
            return order.end == "Filled" or order.filled() >= order.qty
        order.close_if_filled()
        return order.end is not None

    def cancelled(self, client_id: str) -> bool:
        order = self.orders.get(client_id)
        if order and not order.end:
            order.close("Cancelled")
        return order is not None


# -- the calls, made of both -----------------------------------------------------------------------------------


def call(mgr: OrderMgr, model: PlainMgr, name: str, *arguments) -> None:
    match name:
        case "new":
            instrument, qty = arguments
            made = mgr.prepare_new_order(instrument, Side.Sell, Price(100), Qty(qty))
            got, expected = made is not None, model.new(instrument, qty)
        case "modify":
            client_id, price, qty = arguments
            if price is None and qty is None:
                return
            got, expected = mgr.prepare_modify_order(client_id, price, qty), model.modify(*arguments)
        case "cancel":
            got, expected = mgr.prepare_cancel_order(*arguments), model.cancel(*arguments)
        case "cancel_all":
            got, expected = mgr.prepare_cancel_all(*arguments), model.cancel_all(*arguments)
        case "cancel_all_ack":
            got, expected = mgr.apply_cancel_all_ack(*arguments), model.answer_cancel_all(*arguments)
        case "cancel_all_reject":
            got, expected = mgr.apply_cancel_all_reject(*arguments), model.answer_cancel_all(*arguments)
        case "new_ack":
            client_id, price, leaves = arguments
            got = mgr.apply_new_order_ack(client_id, f"ex-{client_id}", price, leaves)
            expected = model.new_ack(*arguments)
        case "modify_ack":
            client_id, leaves, price, qty = arguments
            got = mgr.apply_modify_order_ack(client_id, leaves, new_price=price, new_qty=qty)
            expected = model.modify_ack(*arguments)
        case "execution":
            got, expected = mgr.apply_order_execution(*arguments), model.execution(*arguments)
        case "cancel_ack":
            got, expected = mgr.apply_cancel_order_ack(*arguments), arguments[0] in model.orders
        case "cancelled":
            got, expected = mgr.apply_order_cancelled(*arguments), model.cancelled(*arguments)
        case _:
            request, _, answer = name.partition("_")
            got = getattr(mgr, f"apply_{request}_order_{answer}")(*arguments)
            expected = getattr(model, name)(*arguments)
    assert got is expected


def compare(mgr: OrderMgr, model: PlainMgr) -> None:
    for client_id, plain in model.orders.items():
        order = mgr.get_order_with_client_id(client_id)
        assert order is not None
        asked_price, asked_qty = plain.asked or (None, None)
        if plain.new_pending:
            asked_price, asked_qty = 100, plain.qty
        assert order.is_open() is (plain.end is None)
        assert order.is_cancelled() is (plain.end == "Cancelled")
        assert order.is_new_pending() is plain.new_pending
        assert order.is_modify_pending() is (plain.asked is not None)
        assert order.is_cancel_pending() is plain.cancel_pending
        assert order.get_price() == Price(plain.price)
        assert order.get_leaves_qty() == Qty(plain.leaves())
        assert order.get_leaves_qty_after_modify_prep() == Qty(plain.leaves(as_asked=True))
        assert order.get_pending_price() == (None if asked_price is None else Price(asked_price))
        assert order.get_pending_qty() == (None if asked_qty is None else Qty(asked_qty))
        assert order.get_leaves_qty() >= Qty(0)
    still_open = [client_id for client_id, plain in model.orders.items() if plain.end is None]
    assert [order.get_client_id() for order in mgr.get_open_orders()] == still_open
    assert mgr.get_num_open_orders() == len(still_open)
    assert mgr.get_order_with_client_id("unknown") is None


# -- random histories ------------------------------------------------------------------------------------------


def any_call(rng: Random) -> tuple:
    """A call about any order, known or not, or about an instrument."""
    client_id = rng.choice(CLIENT_IDS)
    instrument = rng.choice(INSTRUMENTS)
    return rng.choice(
        [
            ("new", instrument, rng.randint(1, 6)),
            ("cancel_all", rng.choice([None, instrument])),
            ("cancel_all_ack", rng.choice([None, instrument])),
            ("cancel_all_reject", rng.choice([None, instrument])),
            call_about(rng, client_id),
            call_about(rng, client_id),
            call_about(rng, client_id),
        ]
    )


def call_about(rng: Random, client_id: str) -> tuple:
    """A call about one order, as an environment might make it, and as none ever would."""
    price = rng.choice([None, 99, 101])
    qty = rng.choice([None, rng.randint(1, 8)])
    leaves = rng.choice([None, 0, rng.randint(1, 6)])
    return rng.choice(
        [
            ("execution", client_id, rng.randint(1, 2), leaves),
            ("execution", client_id, rng.randint(1, 2), leaves),
            ("execution", client_id, rng.randint(1, 2), rng.randint(1, 6)),
            ("modify", client_id, price, qty),
            ("modify", client_id, None, rng.randint(1, 8)),
            ("modify_ack", client_id, leaves, price, None),
            ("modify_ack", client_id, leaves, price, qty),
            ("modify_reject", client_id),
            ("new_ack", client_id, price, leaves),
            (rng.choice(["cancel", "cancel_ack", "cancel_reject", "cancelled", "new_reject"]), client_id),
        ]
    )


def replay(seed: str, steps: list[tuple]) -> None:
    mgr, model = OrderMgr("m"), PlainMgr()
    for length, step in enumerate(steps, start=1):
        try:
            call(mgr, model, *step)
            compare(mgr, model)
        except AssertionError:
            print(f"history {seed}: {steps[:length]}")
            raise


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_model(seed):
    for number in range(80):
        rng = Random(f"{seed}.{number}")
        replay(f"{seed}.{number}", [any_call(rng) for _ in range(60)])


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_the_model_about_one_order(seed):
    for number in range(400):
        rng = Random(f"{seed}.{number}")
        start = [("new", 1, rng.randint(3, 8)), ("new_ack", "m1", None, None)]
        replay(f"{seed}.{number}", start + [call_about(rng, "m1") for _ in range(20)])
