"""One timer for many deadlines."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fake_bybit import eventually

from mlthon.exchanges.deadlines import Deadlines


@dataclass(eq=False)
class Item:
    name: str
    due_at: float = 0.0


async def test_each_is_late_once_and_in_order() -> None:
    loop = asyncio.get_running_loop()
    late: list[str] = []
    deadlines: Deadlines[Item] = Deadlines(0.03, lambda item: late.append(item.name))
    began = loop.time()
    for number in range(5):
        deadlines.start(Item(str(number)), loop.time())
        await asyncio.sleep(0.002)
    await eventually(lambda: len(late) == 5)
    assert late == ["0", "1", "2", "3", "4"]
    assert loop.time() - began >= 0.03


async def test_what_is_started_again_waits_anew() -> None:
    loop = asyncio.get_running_loop()
    late: list[tuple[str, float]] = []
    deadlines: Deadlines[Item] = Deadlines(0.03, lambda item: late.append((item.name, loop.time())))
    patient, other = Item("patient"), Item("other")
    deadlines.start(patient, loop.time())
    deadlines.start(other, loop.time())
    deadlines.start(other, other.due_at - 0.03)  # at the same time: one deadline
    again = loop.time() + 0.02
    deadlines.start(patient, again)
    await eventually(lambda: len(late) == 2)
    assert [name for name, _ in late] == ["other", "patient"]
    assert late[1][1] >= again + 0.03


async def test_a_failure_costs_nobody_else_the_deadline() -> None:
    loop = asyncio.get_running_loop()
    reported: list[object] = []
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
    late: list[str] = []

    def on_late(item: Item) -> None:
        late.append(item.name)
        if item.name == "bad":
            raise RuntimeError("cannot cope")

    deadlines: Deadlines[Item] = Deadlines(0.005, on_late)
    now = loop.time()
    for name in ("bad", "good"):
        deadlines.start(Item(name), now)
    await eventually(lambda: late == ["bad", "good"])
    assert len(reported) == 1


async def test_one_that_is_started_by_its_own_end_holds_up_nobody() -> None:
    loop = asyncio.get_running_loop()
    ends: list[tuple[str, float]] = []

    def on_late(item: Item) -> None:
        ends.append((item.name, loop.time()))
        if len(ends) == 1:
            deadlines.start(item, loop.time())

    deadlines: Deadlines[Item] = Deadlines(0.1, on_late)
    now = loop.time()
    deadlines.start(Item("again"), now - 0.08)
    deadlines.start(Item("between"), now - 0.06)
    await eventually(lambda: len(ends) == 3)
    assert [name for name, _ in ends] == ["again", "between", "again"]
    assert ends[1][1] < now + 0.09
    assert ends[2][1] - ends[0][1] >= 0.1


async def test_after_close_nothing_is_late() -> None:
    loop = asyncio.get_running_loop()
    late: list[str] = []
    deadlines: Deadlines[Item] = Deadlines(0.001, lambda item: late.append(item.name))
    deadlines.start(Item("one"), loop.time())
    deadlines.close()
    other: Deadlines[Item] = Deadlines(0.002, lambda item: late.append(item.name))
    other.start(Item("two"), loop.time())
    await eventually(lambda: late)
    assert late == ["two"]
