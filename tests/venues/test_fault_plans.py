"""Fault plans: what a file may say, and that a plan strikes where it says, the same way every time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlthon.errors import ConfigError, UsageError
from mlthon.venues.faults import Channel, Direction, FaultInjector, FaultPlan, load_plan, read_plan
from mlthon.venues.faults.plan import Delay, Drop, LoseAck, Messages, Restart

# -- the file -------------------------------------------------------------------------------------------------------

ALL_KINDS = """
seed: 7
faults:
  - {fault: drop, channel: private, kind: execution, probability: 0.5}
  - {fault: delay, channel: public, kind: "orderbook.*", delay_ms: 50, every: 3}
  - {fault: duplicate, channel: trade, nth: 2}
  - {fault: reorder, channel: private, behind: 2, times: 1}
  - {fault: truncate, channel: rest}
  - {fault: corrupt, channel: public, direction: in}
  - {fault: cut, channel: private, at_s: 1.5}
  - {fault: hang, channel: trade, direction: in, kind: order.cancel, nth: 1}
  - {fault: http_error, kind: "order.*", status: 503, nth: 4}
  - {fault: refuse, channel: rest, code: 10016}
  - {fault: throttle, channel: trade, every: 10}
  - {fault: lose_ack, nth: 3}
  - {fault: refuse_login, channel: private, nth: 2}
  - {fault: restart, at_s: 5, drop_connections: false}
  - {fault: disconnect, channels: [public, private], at_s: 2}
  - {fault: outage, for_ms: 300, after: {channel: trade, kind: order.create}, nth: 5}
  - {fault: maintenance, for_ms: 300, at_s: 1}
  - {fault: skew_clock, by_ms: -3000, at_s: 1}
  - fault: fill_while_disconnected
    after: {direction: out, kind: "order.*"}
    probability: 0.1
"""


def test_a_file_may_name_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(ALL_KINDS)
    plan = load_plan(path)
    assert plan.seed == 7
    assert len({fault.fault for fault in plan.faults}) == len(plan.faults) == 19
    assert plan.faults[1] == Delay(channel=Channel.Public, kind="orderbook.*", delay_ms=50, every=3)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[1]", "expected the keys seed and faults, got [1]"),
        ("a: [", "not YAML"),
        ("[" * 1_000 + "]" * 1_000, "not YAML: maximum recursion depth"),
        ("seed: 2024-13-45", "not YAML: month must be in 1..12"),
        ("a: &a [1]\nfaults: [*a, *a]", "expected YAML without aliases"),
        ("1: 2", "Dict key must be"),
        ("sed: 1", "sed: unknown key"),
        ("seed: '1'", "seed: input should be a valid integer, got '1'"),
        ("faults: [{channel: private}]", "faults[0].fault: is required"),
        ("faults: [{fault: explode}]", "faults[0].fault: expected one of 'drop', "),
        ("faults: [{fault: drop}]", "faults[0].channel: is required"),
        ("faults: [{fault: drop, channel: post}]", "faults[0].channel: input should be 'rest', "),
        ("faults: [{fault: drop, channel: rest, nht: 3}]", "faults[0].nht: unknown key"),
        ("faults: [{fault: drop, channel: rest, nth: 0}]", "faults[0].nth: input should be greater"),
        ("faults: [{fault: drop, channel: rest, nth: true}]", "faults[0].nth: input should be a valid"),
        ("faults: [{fault: drop, channel: rest, probability: 1.5}]", "faults[0].probability: input should"),
        ("faults: [{fault: drop, channel: rest, nth: 1, every: 2}]", "faults[0]: expected one of at_s, nth"),
        ("faults: [{fault: delay, channel: rest}]", "faults[0].delay_ms: is required"),
        ("faults: [{fault: delay, channel: rest, delay_ms: .nan}]", "faults[0].delay_ms: "),
        (
            "faults: [{fault: duplicate, channel: rest}]",
            "faults[0]: channel and direction: expected one of private in, ",
        ),
        (
            "faults: [{fault: throttle, channel: public}]",
            "faults[0]: channel and direction: expected one of ",
        ),
        ("faults: [{fault: restart}]", "faults[0]: expected one of at_s, nth, every, probability, got none"),
        ("faults: [{fault: restart, nth: 3}]", "faults[0]: nth: expected after, which says what is counted"),
        ("faults: [{fault: restart, at_s: 1, after: {}}]", "faults[0]: after: expected nth, every or prob"),
        ("faults: [{fault: restart, nth: 1, after: {chanel: rest}}]", "faults[0].after.chanel: unknown key"),
        ("faults: [{fault: drop, channel: rest, after: {}}]", "faults[0]: after: expected nth, every or"),
    ],
)
def test_a_wrong_file_is_one_clear_line(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        read_plan(text, "my plan")
    assert str(wrong.value).startswith("my plan: ")
    assert complaint in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_the_documentation_names_every_fault_and_its_example_is_a_plan() -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()
    section = page[page.index("## What goes wrong by plan") : page.index("## TLS")]
    (example,) = re.findall(r"^```\n(seed:.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert len(read_plan(example, "example").faults) == 5
    named = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert named == {fault.fault for fault in read_plan(ALL_KINDS, "all").faults}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("absent", "binary"):
        with pytest.raises(ConfigError, match=name):
            load_plan(tmp_path / name)


# -- when a fault strikes -------------------------------------------------------------------------------------------


def struck(plan: FaultPlan, *kinds: str, channel: Channel = Channel.Private) -> str:
    """Which of the messages are hit, one character each."""
    injector = FaultInjector(plan)
    injector.start(None)
    hits = [injector.on_message(channel, Direction.Out, kind) for kind in kinds]
    assert injector.counts.total() == len(injector.injected) == sum(hit is not None for hit in hits)
    return "".join("x" if hit else "." for hit in hits)


def test_messages_are_counted() -> None:
    def drop(**when: object) -> FaultPlan:
        return FaultPlan.model_validate(
            {"faults": [{"fault": "drop", "channel": Channel.Private, "kind": "order", **when}]}
        )

    mixed = ["order", "wallet", "order", "order", "order"]
    assert struck(drop(), *mixed) == "x.xxx"
    assert struck(drop(times=2), *mixed) == "x.x.."
    assert struck(drop(nth=3), *mixed) == "...x."
    assert struck(drop(every=2), *mixed) == "..x.x"
    assert struck(drop(every=2, times=1), *mixed) == "..x.."
    assert struck(drop(), "order", channel=Channel.Trade) == "."
    assert struck(drop(at_s=0), *mixed) == "x...."


def test_one_message_may_set_off_the_fault_of_another() -> None:
    after = Messages(channel=Channel.Private, direction=Direction.Out, kind="wallet")
    plan = FaultPlan(faults=(Drop(channel=Channel.Private, kind="order", after=after, nth=2),))
    assert struck(plan, "order", "wallet", "order", "wallet", "position", "order", "order") == ".....x."


def test_the_same_seed_strikes_the_same_messages() -> None:
    def plan(seed: int, *more: Drop) -> FaultPlan:
        drop = Drop(channel=Channel.Private, kind="o*", probability=0.3)
        return FaultPlan(seed=seed, faults=(drop, *more))

    kinds = ["order"] * 60
    assert struck(plan(1), *kinds) == struck(plan(1), *kinds) != struck(plan(2), *kinds)
    assert 5 < struck(plan(1), *kinds).count("x") < 35
    # What another fault of the plan does moves nothing.
    other = Drop(channel=Channel.Private, kind="wallet", probability=0.5)
    mixed = [kind for order in kinds for kind in ("wallet", order)]
    assert struck(plan(1, other), *mixed)[1::2] == struck(plan(1), *kinds)


def test_a_stopped_plan_strikes_nothing() -> None:
    injector = FaultInjector(FaultPlan(faults=(LoseAck(),)))
    assert injector.on_message(Channel.Trade, Direction.Out, "order.create") is None
    injector.start(None)
    assert injector.on_message(Channel.Trade, Direction.Out, "order.create") is not None
    injector.stop()
    assert injector.on_message(Channel.Trade, Direction.Out, "order.create") is None


def test_a_venue_that_restarts_has_to_be_there() -> None:
    with pytest.raises(UsageError, match="expected a target"):
        FaultInjector(FaultPlan(faults=(Restart(at_s=1),))).start(None)
