"""The short way of order requests: whatever takes it, nobody can tell it from the long one."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from mlthon.basics.defs import (
    TIF,
    Exchange,
    ExecInstructions,
    GtwStatus,
    InstrumentType,
    OrderStatus,
    OrderType,
    Side,
)
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.order_checks import broken_rule, rules_of
from mlthon.engine.order_entry import OrderEntry
from mlthon.instruments.perpetual import Perpetual

BYBIT = Exchange.Bybit
RULES = {
    "exchange": BYBIT,
    "instrument_type": InstrumentType.Perpetual,
    "mlt_symbol": "BTC-USDT",
    "price_tick_rules": "0.5",
    "quantity_tick_rules": "0.02",
    "min_quantity": "0.06",
    "max_quantity": "10.01",
    "min_notional": "5",
}
INSTRUMENTS = (
    Perpetual(settlement_method="linear", **RULES),
    Perpetual(settlement_method="inverse", **RULES | {"quantity_tick_rules": "1", "max_quantity": None}),
    Perpetual(**RULES | {"price_tick_rules": None, "min_notional": None}),
    Perpetual(),
)


@pytest.mark.parametrize("seed", range(4))
def test_the_rules_as_integers_are_the_rules(seed):
    random = Random(seed)
    kept = 0
    for _ in range(2_000):
        instrument = random.choice(INSTRUMENTS)
        price = Price(random.choice(["-1", "0", "0.5", "3", "7.5", "7.4", "100", "83.5", "50000.5"]))
        qty = Qty(
            random.choice(["-2", "0", "0.04", "0.05", "0.06", "0.66", "1", "5", "4", "10", "10.02", "11"])
        )
        closes = random.random() < 0.2
        is_fine = broken_rule(instrument, price, qty, closes=closes) is None
        assert rules_of(instrument).are_kept(price, qty, closes=closes) is is_fine, (
            instrument,
            price,
            qty,
            seed,
        )
        kept += is_fine
    assert 0 < kept < 2_000


def test_a_value_too_large_to_count_keeps_no_rule():
    huge = Price.from_mantissa(2**126)
    assert not rules_of(Perpetual(min_notional=MLDecimal("5"))).are_kept(huge, Qty("1000000000"))


class Written:
    """A journal that keeps what it is given."""

    def __init__(self):
        self.lines = []

    def record_request(self, engine_ns, name, arguments):
        self.lines.append((engine_ns, name, dict(arguments)))

    def record_callback(self, engine_ns, name, arguments):
        self.lines.append((engine_ns, name, list(arguments)))


def any_request(random, client_ids):
    """A request for a new order or a cancel, sometimes with something wrong or unusual."""

    def pick(usual, *others):
        return usual if random.random() < 0.93 else random.choice(others)

    number = len(client_ids)
    ref = pick("byt:perp:BTC-USDT", "BTCUSDT", "BTC-XYZ", 7, True, None)
    if client_ids and random.random() < 0.4:
        client_id = pick(random.choice(client_ids), "nobody", 1, None, "")
        return "send_cancel_order", (pick(BYBIT, Exchange.Blade, "byt"), ref, client_id), {}
    client_id = pick(f"a{number}", None, number, "x", "a" * 200, "a1", True, f"z{10**30 + number}", "a٣")
    client_ids.append(client_id if isinstance(client_id, str) else f"a{number}")
    return (
        "send_new_order",
        (
            client_id,
            pick(BYBIT, Exchange.Blade, "byt"),
            ref,
            pick(Side.Buy, Side.Sell, "Buy"),
            pick(Price("100.0"), "100.1", 100, Decimal("99.9"), 1.5, "oops", "100.05", "-1", Qty("1"), None),
            pick(Qty("10"), "0.5", 3, 0.5, "0.0005", "0.001", "1e400", True),
            pick(None, ExecInstructions.PostOnly, ExecInstructions.Unset, "post"),
            pick(None, OrderType.Limit, OrderType.Market, OrderType.Unset, 1),
            pick(None, TIF.GTC, TIF.IOC, TIF.Unset, "GTC"),
            pick(False, True, None, 1),
        ),
        {},
    )


def run(make_bench, make_recorder, seed, is_journaled):
    """Everything that can be seen of a random run."""
    random, recorder, journal = Random(seed), make_recorder(), Written()
    bench = make_bench(recorder, **({"journal": journal} if is_journaled else {})).start()
    client_ids, returned = [], []
    for _ in range(200):
        name, args, keywords = any_request(random, client_ids)
        try:
            returned.append(getattr(bench.env, name)(*args, **keywords))
        except (TypeError, ValueError) as error:
            returned.append((type(error), str(error)))
        bench.env.dispatcher.deliver_waiting()
        if random.random() < 0.6 and any(hasattr(asked, "side") for asked in bench.gateway.asked):
            bench.gateway.report(
                bench.gateway.last_new(), random.choice([OrderStatus.New, OrderStatus.Cancelled])
            )
        if random.random() < 0.05:
            bench.gateway.status = random.choice([*[GtwStatus.ReadyToTrade] * 3, GtwStatus.Connecting])
    lines = [line for line in journal.lines if line[1] != "on_framework_connected"]
    counts = bench.env.desks[BYBIT].counts
    return returned, bench.gateway.asked, recorder.seen, lines, counts, bench.env.orders.refused


@pytest.mark.parametrize("is_journaled", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_both_ways_tell_the_same_story(make_bench, make_recorder, monkeypatch, seed, is_journaled):
    short = run(make_bench, make_recorder, seed, is_journaled)
    monkeypatch.setattr(OrderEntry, "learn", lambda *_: None)  # then no request finds the short way
    assert run(make_bench, make_recorder, seed, is_journaled) == short
    assert short[4]["sent"] > 10


def test_the_second_order_takes_the_short_way(bench, monkeypatch):
    bench.order("a1")
    monkeypatch.setattr(OrderEntry, "new_checked", lambda *_: pytest.fail("the long way"))
    monkeypatch.setattr(OrderEntry, "cancel_checked", lambda *_: pytest.fail("the long way"))
    assert bench.order("a2") == 2
    assert bench.order(None, price=Price("100")) == 3
    bench.env.send_cancel_order(BYBIT, "byt:perp:BTC-USDT", "a2")
    assert [type(asked).__name__ for asked in bench.gateway.asked] == ["NewOrderRequest"] * 3 + [
        "CancelOrderRequest"
    ]
