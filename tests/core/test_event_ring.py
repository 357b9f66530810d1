"""What a tape is read into is used again, whatever somebody keeps of it."""

from __future__ import annotations

import sys
from array import array

import pytest

from mlthon._core.market_event import DepthUpdate
from mlthon._core.matching import MatchingEngine
from mlthon._core.replay import FeedLine, Market, MarketView, Replay
from mlthon._core.sim_clock import SimClock
from mlthon._core.tape_cursor import COLUMN_NAMES, SMALL_COLUMNS, TapeCursor

EVENTS = 20_000
LAST = 1


class Keeper:
    """Keeps some of the messages that it is told, as (what they said then, the message)."""

    def __init__(self, kept: range) -> None:
        self.kept, self.told = kept, 0
        self.messages: list[tuple[int, DepthUpdate]] = []

    def instrument_feed(self, instrument_id: int) -> None:
        return None

    def on_depth(self, instrument_id: int, update: DepthUpdate) -> bool:
        if self.told in self.kept:
            self.messages.append((update.seq, update))
        self.told += 1
        return True


class Delay:
    constant_ns = 0


def play(keeper: Keeper) -> int:
    """Play a tape; returns by how many blocks of memory more were in use at its end than after a tenth of it."""
    clock = SimClock()
    replay = Replay(clock)
    engine = MatchingEngine()
    market = Market(engine, lambda trade: None, lambda rate: None)
    view = MarketView(1, keeper, Delay(), lambda: None, FeedLine(clock))
    market.watch(view)
    view.show_book()
    view.open(book=True, trades=False, orders=False)
    rows = {
        "recv_ns": [10 * n + 10 for n in range(EVENTS)],
        "venue_ns": [10 * n + 9 for n in range(EVENTS)],
        "flags": [LAST] * EVENTS,
        "price": [90 + n % 7 for n in range(EVENTS)],
        "qty": [n + 1 for n in range(EVENTS)],
        "seq": list(range(1, EVENTS + 1)),
        "prev_seq": list(range(EVENTS)),
        "id": [-1] * EVENTS,
    }
    columns = [
        array("B" if name in SMALL_COLUMNS else "q", rows.get(name, [0] * EVENTS)) for name in COLUMN_NAMES
    ]
    replay.add_tape(
        TapeCursor([[EVENTS, *columns, None]], price_decimals=1, qty_decimals=0, name="t"), market
    )
    replay.play_first()
    replay.play(EVENTS)
    before = sys.getallocatedblocks()
    replay.play(10 * EVENTS)
    return sys.getallocatedblocks() - before


@pytest.mark.parametrize("kept", [range(0), range(7, 8), range(5, 25), range(3, 1900, 7)], ids=str)
def test_memory_does_not_grow_with_what_is_played(kept):
    keeper = Keeper(kept)
    grown = play(keeper)
    assert keeper.told > EVENTS - 10
    assert [update.seq for _, update in keeper.messages] == [seq for seq, _ in keeper.messages]
    assert len(keeper.messages) == len(kept)
    assert grown < 1_000
