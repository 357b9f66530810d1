"""Members of the published enums are found like any class attribute, and like those of any enum."""

from __future__ import annotations

from enum import Enum, EnumType

import pytest

from mlthon.basics.defs import Side
from mlthon.basics.mlt_enum import MltEnum


class Taken(MltEnum):
    """Members whose names are taken by what every member has."""

    name = 1
    value = 2
    other = 3


class Plain(Enum):
    name = 1
    value = 2
    other = 3


def test_members_are_found_whatever_they_are_called():
    assert isinstance(MltEnum, EnumType)
    assert Side.Buy is Side["Buy"] is Side(1)
    assert [Taken.name, Taken.value, Taken.other] == list(Taken)
    assert [Taken.other.name, Taken.other.value] == [Plain.other.name, Plain.other.value] == ["other", 3]


@pytest.mark.parametrize("name", ["Hold", "__hold__", "mro_"])
def test_what_is_no_member_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=name):
        getattr(Side, name)
    assert getattr(Side, name, None) is None


def test_members_are_not_replaced():
    with pytest.raises(AttributeError):
        Side.Buy = 3  # type: ignore[misc]
    assert Side.Buy.value == 1
