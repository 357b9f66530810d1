"""What the harness itself costs: a turn of the loop that everything is measured in, and how even its halves are."""

from __future__ import annotations

import doctest

import interleave
from interleave import loop


def test_a_turn_of_the_loop(compare):
    compare("a turn of the loop", ours=loop("pass"), theirs=loop("1"), beside="another, of nothing else")


def test_the_same_on_both_sides(compare):
    """Turns are even: the same work comes out the same."""
    one, other = (loop("a + b", a=12.5, b=0.5) for _ in range(2))
    compare("the same work", ours=one, theirs=other, beside="the same work", at_most=1.1)


def test_its_own_example():
    assert doctest.testmod(interleave).failed == 0
