"""A feed listener that keeps books the plain way, and holds the feed to the rules of its port."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import GtwRejectCode
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty


class BookKeeper:
    """Keeps books the plain way, and remembers what it was told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.books: dict[int, tuple[dict[Price, Qty], dict[Price, Qty]]] = {}
        self.sound: dict[int, bool] = {}

    def on_depth(self, instrument_id: int, update: DepthUpdate) -> bool:
        if update.is_snapshot:
            self.books[instrument_id] = ({}, {})
        else:
            assert self.sound[instrument_id], "a delta came for a book that was reported lost"
        bids, asks = self.books[instrument_id]
        for side, levels in ((bids, update.bids()), (asks, update.asks())):
            for price, qty in levels:
                side[price] = qty
                if qty.is_zero():
                    del side[price]
        crossed = bool(bids and asks and max(bids) >= min(asks))
        self.sound[instrument_id] = not crossed
        self.events.append(("snapshot" if update.is_snapshot else "delta", instrument_id))
        return not crossed

    def delta_sink(self, instrument_id: int) -> None:
        return None  # every message is to be seen by `on_depth`

    def on_trades(self, instrument_id: int, trades: Sequence[PublicTrade]) -> None:
        self.events.append(("trades", instrument_id, [(t.taker_side, t.price, t.qty) for t in trades]))

    def on_stream_ready(self, instrument_id: int) -> None:
        self.events.append(("ready", instrument_id))

    def on_subscribe_refused(self, instrument_id: int, code: GtwRejectCode, reason: str) -> None:
        self.events.append(("refused", instrument_id, code, reason))

    def on_book_lost(self, instrument_id: int, reason: str) -> None:
        self.sound[instrument_id] = False
        self.events.append(("lost", instrument_id, reason))

    def on_feed_lost(self, reason: str, instrument_ids: Collection[int] | None = None) -> None:
        assert instrument_ids, "a connection that carries nothing is no loss"
        self.sound |= dict.fromkeys(self.sound.keys() & instrument_ids, False)
        self.events.append(("feed lost", reason))

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [event for event in self.events if event[0] == name]
