"""Ids come and go as in a dict, whichever of them meet in one slot."""

from __future__ import annotations

import gc
import random
import weakref

import pytest

from mlthon._core.id_register import IdRegister


@pytest.mark.parametrize("seed", range(20))
def test_as_a_dict_would_do(seed):
    chance = random.Random(seed)
    ids = [chance.choice(["", "é", "x" * 40, "w"]) + str(n) for n in range(chance.choice([3, 40, 900]))]
    table, model = IdRegister(), {}
    for step in range(6_000):
        item_id = str(chance.choice(ids).encode(), "utf-8")  # equal, and another object
        match chance.randrange(3):
            case 0:
                assert table.put(item_id, step) is (item_id not in model), seed
                model.setdefault(item_id, step)
            case 1:
                assert table.drop(item_id) is (model.pop(item_id, None) is not None), seed
            case _:
                assert table.get(item_id) == model.get(item_id), seed
        assert len(table) == len(model), seed
    assert {item_id: table.get(item_id) for item_id in ids if item_id in model} == model, seed


def test_memory_does_not_grow_with_what_has_left():
    table = IdRegister()
    for number in range(20_000):
        assert table.put(f"a{number}", number)
        if number >= 100:
            assert table.drop(f"a{number - 100}")
    assert len(table) == 100
    assert [table.get(f"a{number}") for number in (19_899, 19_900, 19_999)] == [None, 19_900, 19_999]


class Thing:
    """Can be watched going."""


def test_it_holds_what_is_in_it_and_nothing_else():
    table, things = IdRegister(), [Thing() for _ in range(3)]
    watched = [weakref.ref(thing) for thing in things]
    for number, thing in enumerate(things):
        table.put(str(number), thing)
    things[2].table = table  # a cycle
    del thing, things
    table.drop("0")
    assert [ref() is not None for ref in watched] == [False, True, True]
    del table
    gc.collect()
    assert [ref() is not None for ref in watched] == [False, False, False]
