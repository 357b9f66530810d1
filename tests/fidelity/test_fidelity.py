"""Backtest and simulated venue tell the same story: every request and every callback of orders, to the nanosecond.

A part of what ``tools/soak/fidelity.py`` compares, which runs all seeds on all markets, and the capture to its end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from fidelity_cases import DELAYS, TRADERS, on_market, stairs, synthetic, told_rates
from fidelity_run import Case, at_venue, compare, in_backtest

from mlthon.sim.orders import QueueRule
from mlthon.sim.terms import Product
from mlthon.tape.opening import open_tape

CAPTURE = "binance/usdm_btcusdt_20240808.gz"
PRODUCTS = (Product.Linear, Product.Linear, Product.Inverse, Product.Spot)


def expect_one_story(case: Case) -> Counter[str]:
    """Run a case both ways, and say how often each kind of step came."""
    here, there = in_backtest(case), at_venue(case)
    assert compare(here, there) == ""
    return Counter(step.kind for step in here.story.steps)


@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("trader", TRADERS)
def test_on_synthetic_markets(trader: str, seed: int) -> None:
    product, delays = PRODUCTS[seed % len(PRODUCTS)], list(DELAYS)[seed % len(DELAYS)]
    counts = expect_one_story(synthetic(seed, trader, product, delays, 5.0))
    assert counts["on_order_execution"] > 5


@pytest.mark.parametrize("product", [Product.Linear, Product.Inverse])
@pytest.mark.parametrize("trader", TRADERS)
def test_with_told_marks_funding_and_liquidations(trader: str, product: Product) -> None:
    ledgers = []
    for seed in (1, 2):
        case = told_rates(seed, trader, product, "5 ms", 10.0)
        here, there = in_backtest(case), at_venue(case)
        assert compare(here, there) == "", f"seed {seed}"
        ledgers.append(here.ledger)
    assert any(ledger["fundings booked"] != "[]" for ledger in ledgers)
    taken_over = [ledger for ledger in ledgers if ledger["position told"] != ledger["position booked"]]
    assert taken_over
    assert all(int(ledger["fills booked"]) > int(ledger["fills told"]) for ledger in taken_over)


@pytest.mark.parametrize("delays", DELAYS)
def test_what_leaves_the_book_at_once_is_one_change_of_it(delays: str) -> None:
    here, there = in_backtest(stairs(delays)), at_venue(stairs(delays))
    assert compare(here, there) == ""
    ends = Counter(step.code.split("/")[-2] for step in here.story.steps if step.kind == "on_order_cancelled")
    assert ends["CancelByUser"] >= 3
    assert ends["CancelAllBeforeLiq"] >= 3


@pytest.mark.parametrize("trader", TRADERS)
def test_on_a_recorded_market(captures: Path, trader: str) -> None:
    tape = open_tape(captures / CAPTURE)
    counts = expect_one_story(on_market(tape, 1, trader, "5 ms", 8.0))
    assert counts["on_order_execution"] > 10


@pytest.mark.parametrize("trader", TRADERS)
def test_the_same_seed_is_told_byte_for_byte(trader: str) -> None:
    case = synthetic(3, trader, Product.Linear, "uneven", 3.0)
    assert in_backtest(case).story.text() == in_backtest(case).story.text() != b""
    assert at_venue(case).story.text() == at_venue(case).story.text()


def test_everything_that_can_be_sent_and_told_is_in_it() -> None:
    steps = [
        step
        for trader in TRADERS
        for step in in_backtest(synthetic(2, trader, Product.Linear, "5 ms", 30.0)).story.steps
    ]
    assert {step.kind for step in steps} >= {
        *("send_new_order", "send_modify_order", "send_cancel_order", "send_cancel_all"),
        *("on_new_order_ack", "on_new_order_reject", "on_modify_order_ack", "on_modify_order_reject"),
        *("on_cancel_order_ack", "on_cancel_order_reject", "on_cancel_all_ack"),
        *("on_order_execution", "on_order_cancelled"),
        *("on_position_info", "on_wallet_info", "on_rate_limit_info"),
    }
    assert {step.code for step in steps} >= {
        *("PostOnlyWouldCross", "RateLimited", "TooLate", "InsufficientFunds", "ReduceOnlyRefused"),
        *("InvalidPrice", "InvalidRequest", "RequestPending"),
        *("Limit/GTC/PostOnly/", "Limit/IOC/Unset/", "Limit/FOK/Unset/", "Market/IOC/Unset/reduce"),
    }


# -- the comparison can fail ----------------------------------------------------------------------------------------


def difference(here: Case, there: Case) -> str:
    return compare(in_backtest(here), at_venue(there))


def test_a_changed_queue_rule_is_noticed() -> None:
    case = synthetic(1, "timed", Product.Linear, "none", 10.0)
    assert "on_order_execution" in difference(case, replace(case, queue_rule=QueueRule.Ahead))


def test_a_nanosecond_is_noticed() -> None:
    case = synthetic(1, "book", Product.Linear, "none", 3.0)
    assert "engine_ns" in difference(case, replace(case, delays=replace(case.delays, response_ns=1)))
