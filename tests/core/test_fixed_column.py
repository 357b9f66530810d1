"""A column of exact numbers holds what a list of them would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlthon._core.fixed_column import FixedColumn
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price

LARGEST = (1 << 127) - 1
mantissas = st.integers(-LARGEST, LARGEST)  # the one below is no value's


@given(st.lists(st.none() | mantissas), st.data())
def test_it_holds_what_a_list_holds(values, data):
    column, plain = FixedColumn(), []
    for value in values:
        column.append(None if value is None else MLDecimal.from_mantissa(value))
        plain.append(value)
    if values:
        row = data.draw(st.integers(-len(values), len(values) - 1))
        column[row] = Price.from_mantissa(7)
        plain[row] = 7
        assert column[row] == 7
    assert list(column) == plain
    assert len(column) == len(plain)
    assert list(column.take(range(len(plain) - 1, -1, -2))) == plain[::-2]
    cells = column.to_bytes()
    told = [int.from_bytes(cells[at : at + 16], "little", signed=True) for at in range(0, len(cells), 16)]
    assert [cell for cell, value in zip(told, plain, strict=True) if value is not None] == [
        value for value in plain if value is not None
    ]


@pytest.mark.parametrize("row", [0, -1, 5, -(1 << 62)])
def test_rows_that_are_not_there(row):
    column = FixedColumn()
    with pytest.raises(IndexError, match="expected one of 0"):
        column[row]
    with pytest.raises(IndexError):
        column[row] = Price("1")
    with pytest.raises(IndexError):
        column.take([row])


def test_only_exact_numbers_go_in():
    with pytest.raises(TypeError):
        FixedColumn().append(1.5)
