"""Fault plans drawn from a seed: a gap, and up to six faults of any kind, now and then or all the time."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from mlthon.venues.faults import FaultPlan

Json = dict[str, Any]

ORDER_ENTRY = {"channel": "trade", "kind": "order.*"}
PRIVATE_NEWS = ("order", "execution", "position", "wallet", "*")
SOCKETS = ("public", "private", "trade")
UNKNOWN_OUTCOMES = (10000, 10016)
QUESTIONS = ("order.cancel-all", "order.realtime", "execution.list", "position.list")
REFUSALS = (10006, 10016, 10403, 10429, 110007)


def random_plan(seed: int, order_channel: str = "trade") -> FaultPlan:
    """The plan of a seed, for orders that go by one channel or by the other."""
    rng = random.Random(f"plan {seed}")
    kinds = KINDS if order_channel == "trade" else (*KINDS, of_rest, of_rest, of_rest)
    faults = [a_gap(rng), *(rng.choice(kinds)(rng) for _ in range(rng.randint(1, 6)))]
    for fault in faults:
        if fault["fault"] in ("lose_ack", "refuse", "throttle"):
            fault["channel"] = order_channel
        if "after" in fault:
            fault["after"]["channel"] = order_channel
    return FaultPlan.model_validate({"seed": seed, "faults": faults})


# -- what there is to draw ------------------------------------------------------------------------------------------


def a_gap(rng: random.Random) -> Json:
    """The private stream is lost, once or a few times."""
    name = rng.choice(("cut", "disconnect", "outage", "fill_while_disconnected"))
    if name == "cut":
        kind = rng.choice(("order", "execution", "*"))
        return {"fault": "cut", "channel": "private", "kind": kind, "every": rng.randint(5, 40), "times": 3}
    at_s = rng.choice(
        (rng.uniform(0.1, 0.5), rng.uniform(0.5, 0.59))
    )  # the later, the fewer requests show it
    fault: Json = {"fault": name, "at_s": round(at_s, 3)}
    if name == "disconnect":
        return fault | {"channels": rng.choice((["private"], ["private", "trade"]))}
    if name == "outage":
        return fault | {"channels": ["private"], "for_ms": rng.choice((30, 100, 300))}
    return fault | {"for_ms": rng.choice((30, 100, 300))}


def of_news(rng: random.Random) -> Json:
    """Something about what a stream tells."""
    channel = rng.choice(SOCKETS)
    kind = rng.choice(PRIVATE_NEWS) if channel == "private" else "*"
    name = rng.choice(("drop", "delay", "duplicate", "reorder", "truncate", "corrupt", "cut", "hang"))
    fault: Json = {"fault": name, "channel": channel, "kind": kind}
    if name == "delay":
        fault["delay_ms"] = rng.choice((5, 50, 400))
    if name == "reorder":
        fault["behind"] = rng.randint(1, 5)
    is_rough = name in ("truncate", "corrupt", "cut", "hang")
    return fault | when(rng, often=not is_rough)


def of_silence(rng: random.Random) -> Json:
    """News that is lost on a line that stays: nothing in the protocol shows it."""
    fault = {"fault": "drop", "channel": "private", "kind": rng.choice(PRIVATE_NEWS[:-1])}
    return fault | {"probability": rng.choice((0.3, 1.0))}


def of_requests(rng: random.Random) -> Json:
    """Something about a request on its way in."""
    name = rng.choice(("drop", "delay", "duplicate", "reorder", "truncate", "corrupt", "cut", "hang"))
    fault: Json = {"fault": name, "direction": "in", **ORDER_ENTRY}
    if rng.random() < 0.3:
        fault["kind"] = rng.choice(("order.create", "order.cancel", "order.amend", "ping"))
    if name == "delay":
        fault["delay_ms"] = rng.choice((5, 50, 400))
    return fault | when(rng)


def of_rest(rng: random.Random) -> Json:
    """Something about REST: questions after a gap, and cancel-all."""
    name = rng.choice(
        ("drop", "delay", "http_error", "refuse", "hang", "truncate", "corrupt", "cut", "throttle")
    )
    only_out = name in ("truncate", "corrupt", "cut")
    only_in = name == "throttle"
    direction = "out" if only_out else "in" if only_in else rng.choice(("in", "out"))
    kinds = ("*", "*", "order.*", "order.*", "order.create", "order.cancel", "order.amend", *QUESTIONS)
    fault: Json = {"fault": name, "channel": "rest", "direction": direction, "kind": rng.choice(kinds)}
    if name == "delay":
        fault["delay_ms"] = rng.choice((5, 50, 400))
    if name == "http_error":
        fault["status"] = rng.choice((500, 502, 503, 504))
    if name == "refuse":
        fault["code"] = rng.choice(UNKNOWN_OUTCOMES)
    return fault | when(rng, often=name != "hang")


def of_answers(rng: random.Random) -> Json:
    """An order request that is refused, or answered as if its fate were unknown, or not at all."""
    name = rng.choice(("lose_ack", "refuse in", "refuse out", "throttle"))
    if name == "lose_ack":
        return {"fault": "lose_ack", "kind": rng.choice(("order.create", "order.*"))} | when(rng, often=True)
    if name == "throttle":
        return {"fault": "throttle", **ORDER_ENTRY} | when(rng, often=True)
    direction = name.removeprefix("refuse ")
    code = rng.choice(REFUSALS if direction == "in" else UNKNOWN_OUTCOMES)
    return {"fault": "refuse", "direction": direction, "code": code, **ORDER_ENTRY} | when(rng, often=True)


def of_logins(rng: random.Random) -> Json:
    """A login that is refused, once somebody has been cut off."""
    return {
        "fault": "refuse_login",
        "channel": rng.choice(("private", "trade")),
        "every": rng.randint(2, 3),
        "times": rng.randint(1, 3),
    }


def of_the_venue(rng: random.Random) -> Json:
    """Something that concerns the venue as a whole."""
    name = rng.choice(
        ("restart", "disconnect", "outage", "maintenance", "skew_clock", *(["fill_while_disconnected"] * 3))
    )
    fault: Json = {"fault": name}
    if name in ("outage", "maintenance", "fill_while_disconnected"):
        fault["for_ms"] = rng.choice((20, 100, 300))
    if name == "restart":
        fault["drop_connections"] = rng.random() < 0.5
    if name in ("disconnect", "outage"):
        fault["channels"] = rng.sample(("rest", *SOCKETS), rng.randint(1, 4))
    if name == "skew_clock":
        fault["by_ms"] = rng.choice((-5_000, -500, 500, 5_000))
        fault["for_ms"] = rng.choice((None, 200))
    if rng.random() < 0.5:
        return fault | {"at_s": round(rng.uniform(0.1, 0.7), 3)}
    after = {"channel": "trade", "kind": rng.choice(("order.create", "order.cancel", "order.amend"))}
    return fault | {"after": after, "nth": rng.randint(3, 25)}


def when(rng: random.Random, *, often: bool = False) -> Json:
    """How often."""
    choice = rng.choice(("probability", "nth", "every", "at_s"))
    if choice == "probability":
        return {"probability": rng.choice((0.02, 0.1, 0.3) if often else (0.01, 0.03))}
    if choice == "nth":
        return {"nth": rng.randint(2, 30)}
    if choice == "every":
        return {"every": rng.randint(3, 15)} | ({} if often else {"times": 3})
    return {"at_s": round(rng.uniform(0.1, 0.7), 3), "times": rng.randint(1, 3)}


KINDS: tuple[Callable[[random.Random], Json], ...] = (
    of_news,
    of_news,
    of_silence,
    of_requests,
    of_rest,
    of_answers,
    of_answers,
    of_logins,
    of_the_venue,
    of_the_venue,
)
