"""Many orders on a venue that forgets to answer, repeats itself, and breaks the lines, at random.

Whatever happens: every request gets one answer, every fill arrives once or more and unchanged, and in the end the
last state of every order is the venue's.
"""

from __future__ import annotations

import asyncio
import os
import random

import pytest
from bybit_messages import fill_row
from fake_bybit import FakeBybit, Session, eventually, hang_up, http, refusal
from gateway_client import BTC, Client

from mlthon.basics.defs import GtwStatus, OrderStatus
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import CancelOrderRequest
from mlthon.exchanges.bybit.codec.fields import Json

SEED = int(os.environ.get("MLTHON_TEST_SEED", "20240808"))
OPEN = ("New", "PartiallyFilled")
ORDERS = 60


class Chaos:
    """A venue that keeps its books in order, and everything else out of it."""

    def __init__(self, venue: FakeBybit, rng: random.Random) -> None:
        self.venue, self.rng = venue, rng
        self.fills = 0
        self.calm = False
        venue.on_trade = self.on_trade

    async def on_trade(self, session: Session, message: Json) -> None:
        """Take or lose a request; answer, answer twice, late, not at all, or hang up."""
        fate = (
            "take"
            if self.calm
            else self.pick(take=70, lose=4, mute=6, cut=3, unknown=4, garble=2, twice=6, refuse=5)
        )
        if fate == "lose":
            return
        if fate == "refuse":
            await self.venue.answer(session, message, 110007, "not enough")
            return
        if message["op"] == "order.cancel-batch":
            await self.take_batch(session, message, fate)
            return
        known = self.book(message["op"], message["args"][0])
        if fate == "garble":
            await session.send('{"reqId":')
        elif fate == "cut":
            session.cut()
        elif fate == "unknown":
            await self.venue.answer(session, message, 10016, "internal error")
        elif fate != "mute":
            code = 0 if known else 110001
            for _ in range(2 if fate == "twice" else 1):
                await self.venue.answer(session, message, code, "OK" if known else "order not exists")
        if known:
            await self.tell("order", self.venue.orders[message["args"][0]["orderLinkId"]])

    async def take_batch(self, session: Session, message: Json, fate: str) -> None:
        """Cancel what there is of a batch; answer, or not, or less than was asked."""
        items = message["args"][0]["request"]
        known = [self.book("order.cancel", item) for item in items]
        codes = [{"code": 0 if was_known else 110001, "msg": ""} for was_known in known]
        if fate == "cut":
            session.cut()
        elif fate == "unknown":
            await self.venue.answer(session, message, 10016, "internal error")
        elif fate != "mute":
            answered = items[:-1] if fate == "garble" else items
            lists = {"data": {"list": answered}, "retExtInfo": {"list": codes[: len(answered)]}}
            await self.venue.answer(session, message, **lists)
        for item, was_known in zip(items, known, strict=True):
            if was_known:
                await self.tell("order", self.venue.orders[item["orderLinkId"]])

    def book(self, op: str, body: Json) -> bool:
        """Carry out a request; returns whether there was an order for it."""
        orders = self.venue.orders
        link_id = body["orderLinkId"]
        if op == "order.create":
            assert link_id not in orders, "an order was sent twice"
            orders[link_id] = {**fill_row("", link_id), **self.venue.row_of(body)} | {
                "orderStatus": "New",
                "cumExecQty": "0",
                "cancelType": "UNKNOWN",
                "rejectReason": "EC_NoError",
            }
        elif orders.get(link_id, {}).get("orderStatus") not in OPEN:
            return False
        elif op == "order.amend":
            orders[link_id] |= {"price": body["price"]}
        else:
            orders[link_id] |= {"orderStatus": "Cancelled", "cancelType": "CancelByUser"}
        orders[link_id]["updatedTime"] = str(self.venue.now_ms())
        return True

    async def fill_some(self) -> None:
        """Fill a part of an open order."""
        open_orders = [row for row in self.venue.orders.values() if row["orderStatus"] in OPEN]
        if not open_orders:
            return
        row = self.rng.choice(open_orders)
        left = Qty(row["qty"]) - Qty(row["cumExecQty"])
        qty = min(left, Qty(self.rng.choice(["0.003", "0.004", "0.010"])))
        done = Qty(row["cumExecQty"]) + qty
        self.fills += 1
        stamp = str(self.venue.now_ms())
        fill = fill_row(
            f"e{self.fills}", row["orderLinkId"], execQty=str(qty), execPrice=row["price"], execTime=stamp
        )
        self.venue.executions.append(fill)
        is_full = done == Qty(row["qty"])
        row |= {
            "cumExecQty": str(done),
            "orderStatus": "Filled" if is_full else "PartiallyFilled",
            "updatedTime": stamp,
        }
        messages: list[tuple[str, Json]] = [("execution", fill), ("order", dict(row))]
        if self.rng.random() < 0.2:
            messages.reverse()
        for topic, data in messages:
            await self.tell(topic, data)

    async def tell(self, topic: str, row: Json) -> None:
        """Tell the private stream: once, twice, or, by breaking the line, not at all."""
        if not self.venue.live_sessions("private"):
            return
        fate = "once" if self.calm else self.pick(once=90, twice=6, cut=2, garble=1, half=1)
        if fate in ("once", "twice"):
            for _ in range(2 if fate == "twice" else 1):
                await self.venue.push(topic, row)
        elif fate == "cut":
            self.venue.session("private").cut()
        elif fate == "garble":
            await self.venue.session("private").send('{"topic":"order"}')
        else:
            self.venue.session("private").cut(half_sent=b'{"topic":"execution","data":[')

    def pick(self, **weights: int) -> str:
        return self.rng.choices(list(weights), list(weights.values()))[0]


async def trade(client: Client, chaos: Chaos, rng: random.Random) -> int:
    """Send orders, amends and cancels, with fills and faults in between; returns the number of requests."""
    requests = 0
    for number in range(ORDERS):
        await eventually(lambda: client.gateway.status is GtwStatus.ReadyToTrade, f"ready, seed {SEED}", 15)
        client.new(f"w{number}", price=Price(str(50_000 + number)))
        requests += 1
        if rng.random() < 0.3:
            client.modify(f"w{rng.randint(0, number)}", price=str(rng.randint(40_000, 60_000)))
            requests += 1
        if rng.random() < 0.4:
            client.cancel(f"w{rng.randint(0, number)}")
            requests += 1
        if rng.random() < 0.1:
            several = sorted({f"w{rng.randint(0, number)}" for _ in range(4)})
            client.call(client.gateway.send_cancels, [CancelOrderRequest(each, "", BTC) for each in several])
            requests += len(several)
        for _ in range(rng.randint(0, 2)):
            await chaos.fill_some()
        if rng.random() < 0.1:
            script = rng.choice([http(502), hang_up, refusal(10006), refusal(10000), http(200, "?")])
            chaos.venue.scripts[rng.choice(["/v5/order/realtime", "/v5/execution/list"])].append(script)
        await asyncio.sleep(0)
    return requests


@pytest.mark.parametrize("order_entry", ["websocket", "rest"])
async def test_every_request_has_one_answer_and_every_order_its_true_end(
    venue: FakeBybit, order_entry: str
) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    chaos = Chaos(venue, rng)
    async with Client(venue, order_entry=order_entry) as client:
        requests = await trade(client, chaos, rng)
        await eventually(
            lambda: client.listener.answers.total() >= requests, f"all answers, seed {SEED}", within_s=15
        )
        chaos.calm = True
        for session in venue.live_sessions("private"):
            session.cut()  # a last gap, after which nothing is under way
        await eventually(lambda: client.gateway.status is GtwStatus.Connecting)
        await eventually(lambda: client.gateway.status is GtwStatus.ReadyToTrade, f"ready, seed {SEED}", 15)
        listener = client.listener
        assert listener.answers.total() == requests
        assert {fill_id: str(fill.qty) for fill_id, fill in listener.fills.items()} == {
            row["execId"]: str(Qty(row["execQty"])) for row in venue.executions
        }
        told = {wire_id: (r.status.name, r.cum_qty, r.price) for wire_id, r in listener.orders.items()}
        true = {
            link_id: (row["orderStatus"], Qty(row["cumExecQty"]), Price(row["price"]))
            for link_id, row in venue.orders.items()
        }
        assert told == true
        # An order that was refused to us is not in the venue's books.
        refused = {event[2] for event in listener.named("refused") if event[1].name == "NewOrder"}
        assert not refused & set(venue.orders)
        assert len(venue.orders) + len(refused) == ORDERS
        assert {OrderStatus[state] for state, _, _ in told.values()} >= {
            OrderStatus.Filled,
            OrderStatus.Cancelled,
        }
