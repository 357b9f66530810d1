"""The rules by which clients' orders meet the market and each other: one test a rule, its name the rule."""

from __future__ import annotations

from typing import Any

import pytest

from mlthon._core.enums import Side
from mlthon._core.fixed import MLDecimal, Price, Qty
from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.matching import MatchingEngine

POST_ONLY, NO_LIQUIDITY, NOT_WHOLE, REDUCE_ONLY, SELF_TRADE, VALUE_SPENT = 1, 2, 3, 4, 5, 6
CANCEL_MAKER, CANCEL_TAKER, CANCEL_BOTH = 1, 2, 3
BEHIND, PROPORTIONAL, AHEAD = 0, 1, 2
ALICE, BOB, CAROL = 0, 1, 2
IOC: dict[str, Any] = {"immediate": True}
FOK: dict[str, Any] = {"immediate": True, "whole": True}


class Scene:
    """A market with three clients, spoken to in plain numbers."""

    def __init__(self, bids: dict[int, int], asks: dict[int, int], *, queue_rule: int = BEHIND) -> None:
        self.engine = MatchingEngine(queue_rule)
        for _ in range(3):
            self.engine.add_account()
        self.clock = 0
        self.depths: list[int] = []  # their times
        self.depth(bids, asks, snapshot=True)

    def depth(self, bids: dict[int, int], asks: dict[int, int], *, snapshot: bool = False) -> None:
        self.clock += 1
        self.depths.append(self.clock)
        sides = [[(str(price), str(qty)) for price, qty in side.items()] for side in (bids, asks)]
        self.engine.apply_depth(
            DepthUpdate(*sides, is_snapshot=snapshot, venue_ns=self.clock, seq=self.clock)
        )

    def bought(self, price: int, qty: int, *, late: int = 0) -> None:
        """A public trade in which a buyer took; ``late``: so many of the last depth messages contain it."""
        self.trade(Side.Buy, price, qty, late)

    def sold(self, price: int, qty: int, *, late: int = 0) -> None:
        self.trade(Side.Sell, price, qty, late)

    def trade(self, side: Side, price: int, qty: int, late: int) -> None:
        self.clock += 1
        stamp = self.depths[-late] if late else self.clock
        self.engine.apply_trade(PublicTrade(side, str(price), str(qty), venue_ns=stamp))

    def buy(self, order_id: int, qty: int, price: int | None, account: int = ALICE, **flags: Any) -> None:
        self.place(order_id, account, Side.Buy, qty, price, flags)

    def sell(self, order_id: int, qty: int, price: int | None, account: int = ALICE, **flags: Any) -> None:
        self.place(order_id, account, Side.Sell, qty, price, flags)

    def place(
        self, order_id: int, account: int, side: Side, qty: int, price: int | None, flags: dict[str, Any]
    ) -> None:
        limit = None if price is None else Price(price)
        self.engine.place(order_id, account, side, Qty(qty), limit, **flags)

    def fills(self) -> list[tuple[int, int, int]]:
        """Fills since last asked: order, qty, price."""
        fills = self.engine.take_fills()
        return [
            (order_id, int(qty.to_float()), int(price.to_float())) for order_id, price, qty, _, _ in fills
        ]

    def ended(self) -> list[tuple[int, int]]:
        """What ended, and why."""
        return [(order_id, code) for order_id, code, _ in self.engine.take_ended()]

    def ahead(self, order_id: int) -> int:
        return int(self.engine.qty_ahead(order_id).to_float())

    def leaves(self, order_id: int) -> int:
        return int(self.engine.leaves_qty(order_id).to_float())

    def bids(self) -> dict[int, int]:
        return displayed(self.engine.displayed.bids())

    def asks(self) -> dict[int, int]:
        return displayed(self.engine.displayed.asks())


def displayed(levels: Any) -> dict[int, int]:
    return {int(level.get_price().to_float()): int(level.get_qty().to_float()) for level in levels}


# -- resting orders and their queue ------------------------------------------------------------------------------


def test_an_order_queues_behind_what_is_displayed_at_its_price() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 5, 99)
    scene.buy(2, 5, 99, BOB)
    assert (scene.ahead(1), scene.ahead(2)) == (10, 15)
    assert scene.bids() == {99: 20}


def test_a_trade_at_the_price_advances_the_queue_and_the_excess_fills() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 5, 99)
    scene.sold(99, 4)
    assert scene.ahead(1) == 6
    assert scene.fills() == []
    scene.sold(99, 8)
    assert scene.fills() == [(1, 2, 99)]
    assert scene.leaves(1) == 3


def test_a_trade_serves_orders_and_the_anonymous_quantity_between_them_in_turn() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 5, 99)
    scene.depth({99: 13}, {})
    scene.buy(2, 5, 99, BOB)
    assert (scene.ahead(1), scene.ahead(2)) == (10, 18)
    scene.sold(99, 19)
    assert scene.fills() == [(1, 5, 99), (2, 1, 99)]


def test_a_trade_on_the_other_side_does_not_advance_the_queue() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 5, 99)
    scene.bought(99, 8)
    assert scene.ahead(1) == 10


def test_the_depth_message_that_tells_a_trade_does_not_advance_the_queue_again() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 5, 99)
    scene.depth({99: 15}, {})
    scene.sold(99, 4)
    scene.depth({99: 11}, {})
    assert scene.ahead(1) == 6


def test_cancels_are_assumed_behind_us_as_far_as_possible() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 5, 99)
    scene.depth({99: 20}, {})
    scene.depth({99: 12}, {})
    assert scene.ahead(1) == 10
    scene.depth({99: 7}, {})
    assert scene.ahead(1) == 7


@pytest.mark.parametrize(
    ("queue_rule", "ahead"), [(BEHIND, (10, 7)), (PROPORTIONAL, (6, 3)), (AHEAD, (2, 0))]
)
def test_the_queue_rule_says_where_cancels_come_from(queue_rule: int, ahead: tuple[int, int]) -> None:
    scene = Scene({99: 10}, {101: 10}, queue_rule=queue_rule)
    scene.buy(1, 5, 99)
    scene.depth({99: 20}, {})
    assert scene.ahead(1) == 10, "who comes later stands behind"
    scene.depth({99: 12}, {})
    assert scene.ahead(1) == ahead[0]
    scene.depth({99: 7}, {})
    # 6 x 7 / 12 is 3.5, of which the scene shows whole units.
    assert scene.ahead(1) == ahead[1]


@pytest.mark.parametrize("queue_rule", [BEHIND, PROPORTIONAL, AHEAD])
def test_what_traded_has_not_cancelled_by_any_rule(queue_rule: int) -> None:
    scene = Scene({99: 10}, {101: 10}, queue_rule=queue_rule)
    scene.buy(1, 5, 99)
    scene.depth({99: 20}, {})
    scene.sold(99, 4)
    scene.depth({99: 16}, {})
    assert scene.ahead(1) == 6


def test_an_unknown_queue_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="queue_rule: expected 0 to 2, got 3"):
        MatchingEngine(3)


def test_a_level_that_vanishes_and_returns_within_one_message_keeps_the_queue() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 5, 99)
    scene.engine.apply_depth(DepthUpdate([("99", "0"), ("99", "10")], []))
    assert scene.ahead(1) == 10


def test_a_snapshot_without_the_level_puts_us_first() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 5, 99)
    scene.depth({98: 3}, {101: 10}, snapshot=True)
    assert scene.ahead(1) == 0
    assert scene.bids() == {99: 5, 98: 3}


def test_a_trade_through_our_price_fills_us_at_our_price_up_to_its_quantity() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 5, 99)
    scene.buy(2, 5, 98)
    scene.sold(97, 7)
    assert scene.fills() == [(1, 5, 99), (2, 2, 98)]


def test_a_trade_through_our_price_proves_that_nothing_is_left_in_front_of_us() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 5, 99)
    scene.buy(2, 4, 99, BOB)
    scene.sold(98, 1)
    assert scene.fills() == [(1, 1, 99)]
    assert (scene.ahead(1), scene.ahead(2)) == (0, 4)


# -- the market crosses resting orders ---------------------------------------------------------------------------


def test_a_depth_message_that_crosses_us_fills_us_at_our_price_up_to_the_crossing_quantity() -> None:
    scene = Scene({99: 10}, {102: 10})
    scene.buy(1, 5, 101)
    scene.depth({}, {100: 2, 101: 1})
    assert scene.fills() == [(1, 2, 101), (1, 1, 101)]
    assert (scene.bids(), scene.asks()) == ({101: 2, 99: 10}, {102: 10})


def test_crossing_quantity_beyond_us_is_displayed() -> None:
    scene = Scene({99: 10}, {102: 10})
    scene.buy(1, 5, 101)
    scene.depth({}, {101: 8})
    assert scene.fills() == [(1, 5, 101)]
    assert scene.asks() == {101: 3, 102: 10}


def test_a_message_that_crosses_us_only_midway_fills_nobody() -> None:
    scene = Scene({99: 10}, {102: 10})
    scene.buy(1, 5, 101)
    scene.engine.apply_depth(DepthUpdate([], [("101", "3"), ("101", "0")]))
    assert scene.fills() == []


def test_a_crossing_level_fills_again_only_when_the_market_changes_it() -> None:
    scene = Scene({99: 10}, {102: 10})
    scene.buy(1, 9, 101)
    scene.depth({}, {101: 2})
    scene.depth({98: 1}, {101: 2})
    assert scene.fills() == [(1, 2, 101)]
    assert scene.asks() == {102: 10}
    scene.depth({}, {101: 3})
    assert scene.fills() == [(1, 3, 101)]


def test_bids_of_the_market_cross_resting_sells_alike() -> None:
    scene = Scene({99: 10}, {102: 10})
    scene.sell(1, 5, 100)
    scene.depth({101: 3}, {})
    assert scene.fills() == [(1, 3, 100)]
    assert (scene.bids(), scene.asks()) == ({99: 10}, {100: 2, 102: 10})


# -- taking -------------------------------------------------------------------------------------------------------


def test_a_taker_walks_the_book_best_price_first() -> None:
    scene = Scene({99: 10}, {101: 2, 102: 3, 103: 4})
    scene.buy(1, 6, 103, **IOC)
    assert scene.fills() == [(1, 2, 101), (1, 3, 102), (1, 1, 103)]
    assert scene.asks() == {103: 3}


def test_what_we_take_stays_taken_until_the_market_changes_the_level() -> None:
    scene = Scene({99: 10}, {101: 5, 102: 9})
    scene.buy(1, 3, 101)
    assert scene.asks() == {101: 2, 102: 9}
    scene.depth({99: 11}, {102: 8})
    scene.depth({}, {101: 5})
    assert scene.asks() == {101: 2, 102: 8}
    scene.depth({}, {101: 4})
    assert scene.asks() == {101: 4, 102: 8}


def test_the_rest_of_a_taker_rests_and_hides_the_levels_it_emptied() -> None:
    scene = Scene({99: 10}, {101: 5, 102: 9})
    scene.buy(1, 8, 101)
    assert scene.fills() == [(1, 5, 101)]
    assert (scene.bids(), scene.asks()) == ({101: 3, 99: 10}, {102: 9})


def test_quantity_that_traded_cannot_be_taken_before_the_message_that_tells_it() -> None:
    scene = Scene({99: 10}, {101: 5, 102: 9})
    scene.bought(101, 3)
    assert scene.asks() == {101: 5, 102: 9}
    scene.buy(1, 4, 102, **IOC)
    assert scene.fills() == [(1, 2, 101), (1, 2, 102)]


def test_a_trade_proves_that_nothing_better_was_left_to_take() -> None:
    scene = Scene({99: 10}, {101: 5, 102: 9})
    scene.bought(102, 1)
    scene.buy(1, 9, 102)
    assert scene.fills() == [(1, 8, 102)]
    assert (scene.bids(), scene.asks()) == ({102: 1, 99: 10}, {})


def test_a_level_that_is_told_again_after_a_trade_can_be_taken() -> None:
    scene = Scene({99: 10}, {101: 5})
    scene.bought(101, 3)
    scene.depth({}, {101: 5})
    scene.buy(1, 5, 101)
    assert scene.fills() == [(1, 5, 101)]


def test_a_trade_older_than_the_book_takes_nothing_from_it() -> None:
    scene = Scene({99: 10}, {101: 5})
    scene.depth({}, {101: 4})
    scene.bought(101, 3, late=1)
    scene.buy(1, 4, 101)
    assert scene.fills() == [(1, 4, 101)]


def test_a_trade_that_the_book_told_before_advances_nobody_twice() -> None:
    scene = Scene({99: 10}, {101: 5})
    scene.buy(1, 5, 99)
    scene.depth({99: 6}, {})
    scene.sold(99, 4, late=1)
    assert scene.ahead(1) == 6
    scene.depth({99: 0}, {})
    scene.sold(99, 6, late=1)
    assert scene.fills() == []
    scene.sold(99, 2, late=1)  # more than stood in front
    assert scene.fills() == [(1, 2, 99)]


@pytest.mark.parametrize("late", [1, 2])
def test_what_a_late_trade_has_beyond_what_the_book_told_advances_the_queue(late: int) -> None:
    scene = Scene({99: 10}, {101: 5})
    scene.buy(1, 5, 99)
    scene.depth({99: 8}, {})  # 2 of them
    if late == 2:
        scene.depth({}, {101: 4})
    scene.sold(99, 7, late=late)
    assert scene.ahead(1) == 3
    scene.sold(99, 4)
    assert scene.fills() == [(1, 1, 99)]


def test_a_trade_that_is_two_messages_late_counts_with_the_older() -> None:
    scene = Scene({99: 10}, {101: 5})
    scene.buy(1, 5, 99)
    scene.depth({99: 6}, {})
    scene.depth({99: 5}, {})
    scene.sold(99, 5, late=2)
    assert (scene.ahead(1), scene.fills()) == (5, [])
    scene.sold(99, 5, late=2)
    assert scene.ahead(1) == 0
    scene.sold(99, 1, late=2)
    assert scene.fills() == [(1, 1, 99)]


@pytest.mark.parametrize("price", [99, 98])
def test_a_late_trade_does_not_concern_who_came_after_the_book_that_told_it(price: int) -> None:
    scene = Scene({99: 10, 98: 10}, {101: 5})
    scene.depth({99: 0}, {})
    scene.buy(1, 5, 99)
    scene.sold(price, 20, late=1)
    assert scene.fills() == []
    scene.sold(price, 5)
    assert scene.fills() == [(1, 5, 99)]


def test_a_late_trade_at_a_worse_price_fills_who_was_there() -> None:
    scene = Scene({99: 10, 98: 10}, {101: 5})
    scene.buy(1, 5, 99)
    scene.depth({99: 0}, {})
    scene.buy(2, 5, 99, BOB)
    scene.sold(98, 8, late=1)
    assert scene.fills() == [(1, 5, 99)]
    assert scene.ahead(2) == 0


def test_a_taker_serves_the_queue_at_a_price_in_turn() -> None:
    scene = Scene({}, {101: 4})
    scene.sell(1, 3, 101, BOB)
    scene.depth({}, {101: 6})
    scene.sell(2, 3, 101, CAROL)
    scene.buy(3, 10, 101)
    assert scene.fills() == [(3, 4, 101), (3, 3, 101), (1, 3, 101), (3, 2, 101), (3, 1, 101), (2, 1, 101)]
    assert scene.asks() == {101: 2}


def test_taking_from_the_front_advances_those_behind() -> None:
    scene = Scene({}, {101: 4})
    scene.sell(1, 3, 101, BOB)
    scene.buy(2, 3, 101)
    assert scene.ahead(1) == 1


def test_whoever_stands_behind_a_level_that_is_emptied_is_first() -> None:
    scene = Scene({}, {101: 5})
    scene.bought(101, 3)
    scene.sell(1, 3, 101, BOB)
    assert scene.ahead(1) == 5, "what has traded is still displayed"
    scene.buy(2, 2, 101)
    assert (scene.asks(), scene.ahead(1)) == ({101: 3}, 0)


def test_clients_trade_with_each_other_at_the_resting_price() -> None:
    scene = Scene({}, {})
    scene.sell(1, 3, 100, BOB)
    scene.buy(2, 5, 104)
    assert scene.fills() == [(2, 3, 100), (1, 3, 100)]
    assert scene.bids() == {104: 2}


def test_a_market_order_takes_at_any_price_and_never_rests() -> None:
    scene = Scene({}, {101: 1, 150: 2})
    scene.buy(1, 5, None)
    assert scene.fills() == [(1, 1, 101), (1, 2, 150)]
    assert scene.ended() == [(1, NO_LIQUIDITY)]
    assert scene.bids() == {}


# -- time in force, post-only -------------------------------------------------------------------------------------


def test_the_rest_of_an_ioc_order_ends() -> None:
    scene = Scene({}, {101: 2, 102: 5})
    scene.buy(1, 5, 101, **IOC)
    assert scene.fills() == [(1, 2, 101)]
    assert scene.ended() == [(1, NO_LIQUIDITY)]


def test_a_fok_order_counts_clients_and_market_alike() -> None:
    scene = Scene({}, {101: 2})
    scene.sell(1, 3, 102, BOB)
    scene.buy(2, 6, 102, **FOK)
    assert (scene.fills(), scene.ended()) == ([], [(2, NOT_WHOLE)])
    scene.buy(3, 5, 102, **FOK)
    assert scene.fills() == [(3, 2, 101), (3, 3, 102), (1, 3, 102)]


def test_a_fok_order_does_not_count_what_has_traded() -> None:
    scene = Scene({}, {101: 5})
    scene.bought(101, 1)
    scene.buy(1, 5, 101, **FOK)
    assert scene.ended() == [(1, NOT_WHOLE)]


def test_a_fok_order_does_not_count_a_reduce_only_order_twice_over() -> None:
    scene = Scene({99: 3}, {})
    scene.sell(1, 3, 99)  # Alice is short 3
    scene.buy(2, 3, 98, reduce_only=True)
    scene.buy(3, 3, 98, reduce_only=True)
    scene.fills()
    scene.sell(4, 6, 98, BOB, **FOK)
    assert scene.ended() == [(4, NOT_WHOLE)]
    scene.sell(5, 3, 98, BOB, **FOK)
    assert scene.fills() == [(5, 3, 98), (2, 3, 98)]
    assert scene.ended() == [(3, REDUCE_ONLY)]


def test_a_post_only_order_that_would_take_from_the_market_ends() -> None:
    scene = Scene({99: 1}, {101: 1})
    scene.buy(1, 5, 101, post_only=True)
    assert (scene.fills(), scene.ended()) == ([], [(1, POST_ONLY)])


def test_a_post_only_order_that_would_take_from_a_client_ends() -> None:
    scene = Scene({}, {})
    scene.sell(1, 1, 100, BOB)
    scene.buy(2, 5, 100, post_only=True)
    assert scene.ended() == [(2, POST_ONLY)]


def test_a_post_only_order_rests_where_all_has_traded_away() -> None:
    scene = Scene({}, {101: 1, 102: 1})
    scene.bought(101, 1)
    scene.buy(1, 5, 101, post_only=True)
    assert (scene.bids(), scene.asks()) == ({101: 5}, {102: 1})


# -- amending ------------------------------------------------------------------------------------------------------


def test_an_order_that_shrinks_keeps_its_place() -> None:
    scene = Scene({99: 10}, {})
    scene.buy(1, 5, 99)
    scene.buy(2, 5, 99, BOB)
    scene.sold(99, 4)
    scene.engine.amend(1, Price(99), Qty(2))
    assert (scene.ahead(1), scene.ahead(2)) == (6, 8)
    assert scene.bids() == {99: 17}


@pytest.mark.parametrize(("price", "leaves"), [(99, 6), (98, 5)])
def test_an_order_that_grows_or_moves_goes_to_the_back(price: int, leaves: int) -> None:
    scene = Scene({99: 10, 98: 10}, {})
    scene.buy(1, 5, 99)
    scene.buy(2, 5, 99, BOB)
    scene.buy(3, 5, 98, BOB)
    scene.engine.amend(1, Price(price), Qty(leaves))
    assert scene.ahead(1) == 15
    assert scene.ahead(2) == 10


def test_an_order_amended_through_the_market_takes() -> None:
    scene = Scene({99: 10}, {101: 2})
    scene.buy(1, 5, 99)
    scene.engine.amend(1, Price(101), Qty(5))
    assert scene.fills() == [(1, 2, 101)]
    assert scene.bids() == {101: 3, 99: 10}


def test_a_post_only_order_amended_through_the_market_ends() -> None:
    scene = Scene({99: 10}, {101: 2})
    scene.buy(1, 5, 99, post_only=True)
    scene.engine.amend(1, Price(101), Qty(5))
    assert scene.ended() == [(1, POST_ONLY)]
    assert scene.bids() == {99: 10}


# -- self-trade and reduce-only -------------------------------------------------------------------------------------


def test_an_account_may_trade_with_itself() -> None:
    scene = Scene({}, {})
    scene.sell(1, 3, 100)
    scene.buy(2, 3, 100)
    assert scene.fills() == [(2, 3, 100), (1, 3, 100)]
    assert scene.engine.position(ALICE).is_zero()


@pytest.mark.parametrize(
    ("choice", "fills", "ended", "bids"),
    [
        (CANCEL_MAKER, [(3, 1, 101), (2, 1, 101)], [(1, SELF_TRADE, 3)], {101: 4}),
        (CANCEL_TAKER, [], [(3, SELF_TRADE, 1)], {}),
        (CANCEL_BOTH, [], [(3, SELF_TRADE, 1), (1, SELF_TRADE, 3)], {}),
    ],
)
def test_the_incoming_order_decides_who_goes_on_a_self_trade(
    choice: int, fills: list[Any], ended: list[Any], bids: dict[int, int]
) -> None:
    scene = Scene({}, {})
    scene.sell(1, 3, 100)
    scene.sell(2, 1, 101, BOB)
    scene.buy(3, 5, 101, self_trade=choice)
    assert scene.fills() == fills
    assert sorted(scene.engine.take_ended()) == sorted(ended)
    assert scene.bids() == bids


def test_a_reduce_only_taker_never_flips_the_position() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 3, 101)
    scene.sell(2, 5, 99, reduce_only=True)
    assert scene.fills() == [(1, 3, 101), (2, 3, 99)]
    assert scene.ended() == [(2, REDUCE_ONLY)]
    assert scene.engine.position(ALICE).is_zero()


def test_a_resting_reduce_only_order_ends_when_nothing_is_left_to_reduce() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 3, 101)
    scene.sell(2, 5, 105, reduce_only=True)
    scene.sell(3, 3, 99)
    assert scene.ended() == [(2, REDUCE_ONLY)]
    assert 105 not in scene.asks()


def test_a_resting_reduce_only_order_is_filled_no_further_than_flat() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 3, 101)
    scene.fills()
    scene.sell(2, 5, 100, reduce_only=True)
    scene.buy(3, 5, 100, BOB)
    assert scene.fills() == [(3, 3, 100), (2, 3, 100)]
    assert scene.ended() == [(2, REDUCE_ONLY)]
    assert scene.bids() == {100: 2, 99: 10}


# -- what is displayed, and what goes wrong ----------------------------------------------------------------------


def test_the_changes_of_a_call_are_absolute_and_carry_the_markets_stamps() -> None:
    scene = Scene({99: 10}, {101: 2})
    scene.depth({98: 1}, {})
    scene.buy(1, 5, 101)
    changes = scene.engine.last_changes()
    assert changes is not None
    assert changes.bids() == [(Price(101), Qty(3))]
    assert changes.asks() == [(Price(101), Qty(0))]
    assert (changes.seq, changes.venue_ns) == (2, 2)


def test_a_call_that_changes_nothing_displayed_has_no_changes() -> None:
    scene = Scene({99: 10}, {101: 2})
    scene.bought(101, 1)
    assert scene.engine.last_changes() is None


def test_a_message_that_displays_as_it_is_told_is_passed_on_itself() -> None:
    scene = Scene({99: 10, 98: 4}, {101: 2})
    scene.buy(1, 5, 99)
    elsewhere = DepthUpdate([("98", "7")], [("102", "3")])
    scene.engine.apply_depth(elsewhere)
    assert scene.engine.last_changes() is elsewhere
    at_our_price = DepthUpdate([("99", "7")], [("102", "1")], seq=9, venue_ns=8)
    scene.engine.apply_depth(at_our_price)
    assert scene.engine.last_changes() == DepthUpdate([("99", "12")], [("102", "1")], seq=9, venue_ns=8)
    assert at_our_price.bids() == [(Price(99), Qty(7))]


def test_a_message_that_says_nothing_new_has_no_changes() -> None:
    scene = Scene({99: 10}, {101: 2})
    scene.depth({99: 10, 97: 0}, {101: 2})
    assert scene.engine.last_changes() is None


def test_the_whole_book_is_right_whenever_it_is_first_asked_for() -> None:
    scene = Scene({99: 10, 98: 4}, {101: 2, 102: 3})
    scene.buy(1, 5, 99)
    scene.buy(2, 4, 102)
    scene.sell(3, 1, 103, BOB)
    assert (scene.engine.best_bid(), scene.engine.best_ask()) == (Price(99), Price(102))
    assert scene.bids() == {99: 15, 98: 4}
    assert scene.asks() == {102: 1, 103: 1}


def test_the_mark_concerns_who_has_a_position() -> None:
    scene = Scene({99: 10}, {101: 10})
    assert not scene.engine.concerns_clients(), "nobody has one"
    scene.buy(1, 1, 101)
    assert scene.engine.concerns_clients(), "a fill"
    scene.fills()
    assert not scene.engine.concerns_clients()
    scene.depth({98: 1}, {})
    assert not scene.engine.concerns_clients(), "the mark stands"
    scene.depth({100: 1}, {})
    assert scene.engine.concerns_clients()
    assert not scene.engine.concerns_clients(), "it was told"
    assert scene.engine.mark_price() == Price("100.5")


def test_a_market_that_crosses_itself_is_counted_and_survived() -> None:
    scene = Scene({99: 10}, {101: 2})
    scene.depth({103: 4}, {})
    assert scene.engine.crossed_updates == 1
    scene.buy(1, 3, 101)
    assert scene.fills() == [(1, 2, 101)]
    scene.depth({103: 0}, {})
    assert (scene.bids(), scene.asks()) == ({101: 1, 99: 10}, {})


# -- orders by value ------------------------------------------------------------------------------------------------


def spend(scene: Scene, order_id: int, value: str, side: Side = Side.Buy, **fields: Any) -> None:
    limits = {"max_value": MLDecimal(value), "lot": Qty("0.5")}
    scene.engine.place(order_id, ALICE, side, Qty("1000"), **limits, **fields)


def test_an_order_by_value_buys_whole_lots_and_no_more_than_it_can_pay() -> None:
    scene = Scene({}, {100: 2, 110: 5})
    spend(scene, 1, "320")
    assert scene.engine.take_fills() == [
        (1, Price("100"), Qty("2"), False, 0),
        (1, Price("110"), Qty("1"), False, 0),
    ]
    assert scene.ended() == [(1, VALUE_SPENT)]  # 10 are left, and half a unit costs 55


def test_an_order_by_value_that_buys_no_lot_ends_at_once() -> None:
    scene = Scene({}, {100: 2})
    spend(scene, 1, "49.99999999999999999")
    assert scene.fills() == []
    assert scene.ended() == [(1, VALUE_SPENT)]


def test_an_order_by_value_ends_where_there_is_nothing_left_to_take() -> None:
    scene = Scene({90: 3}, {})
    spend(scene, 1, "500", Side.Sell)
    assert scene.fills() == [(1, 3, 90)]
    assert scene.ended() == [(1, NO_LIQUIDITY)]


def test_an_order_whose_value_is_spent_meets_nobody() -> None:
    scene = Scene({}, {})
    scene.sell(1, 2, 100, BOB)
    scene.sell(2, 1, 100)
    spend(scene, 3, "200", self_trade=CANCEL_MAKER)
    assert scene.fills() == [(3, 2, 100), (1, 2, 100)]
    assert scene.ended() == [(3, VALUE_SPENT)]
    assert scene.asks() == {100: 1}


def test_only_market_orders_go_by_value() -> None:
    scene = Scene({}, {100: 2})
    for fields in ({"price": Price("100")}, {"whole": True, "immediate": True}):
        with pytest.raises(ValueError, match="max_value"):
            spend(scene, 1, "100", **fields)
    with pytest.raises(ValueError, match="max_value"):
        scene.engine.place(1, ALICE, Side.Buy, Qty("1"), max_value=MLDecimal("1"))


# -- positions moved by others --------------------------------------------------------------------------------------


def test_a_position_that_is_taken_over_leaves_nothing_to_reduce() -> None:
    scene = Scene({99: 10}, {101: 10})
    scene.buy(1, 3, 101)
    scene.sell(2, 3, 105, reduce_only=True)
    scene.engine.move_position(ALICE, Qty("-1"))
    assert (scene.engine.position(ALICE), scene.ended()) == (Qty("2"), [])
    scene.engine.move_position(ALICE, Qty("-2"))
    assert scene.ended() == [(2, REDUCE_ONLY)]
    with pytest.raises(ValueError, match="account"):
        scene.engine.move_position(9, Qty("1"))


def test_impossible_calls_are_refused_and_change_nothing() -> None:
    scene = Scene({99: 10}, {101: 2})
    scene.buy(1, 1, 98)
    with pytest.raises(ValueError, match="order_id"):
        scene.buy(1, 1, 98)
    with pytest.raises(ValueError, match="account"):
        scene.buy(2, 1, 98, 7)
    with pytest.raises(ValueError, match="price"):
        scene.buy(2, 1, -5)
    with pytest.raises(ValueError, match="qty"):
        scene.buy(2, 0, 98)
    with pytest.raises(KeyError):
        scene.engine.cancel(2)
    with pytest.raises(KeyError):
        scene.engine.amend(2, Price(1), Qty(1))
    with pytest.raises(ValueError, match="beyond"):
        scene.engine.apply_depth(DepthUpdate([("98", "10000000000000000")], []))
    with pytest.raises(ValueError, match="beyond"):
        scene.engine.apply_trade(PublicTrade(Side.Buy, "98", "10000000000000000"))
    assert len(scene.engine) == 1
    assert scene.bids() == {99: 10, 98: 1}
