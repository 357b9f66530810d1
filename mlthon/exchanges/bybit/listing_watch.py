"""Noticing that the venue has changed what it lists, or by which rules, while we trade."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from mlthon.basics.defs import GtwRejectCode
from mlthon.errors import DecodeError, VenueError, VenueRefusal
from mlthon.exchanges.background import Background
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.instruments import TRADING, Instruments, Listing
from mlthon.exchanges.bybit.queries import Queries
from mlthon.exchanges.bybit.reject_codes import reject_code
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.instrument_utils import InstrumentUtils

__all__ = ["ListingWatch"]

log = logging.getLogger("mlthon.exchanges.bybit")

_DELISTED = "Delisted"  # our word for what the venue no longer knows
_SOONEST_S = 5.0  # between two times, whatever is doubted


class ListingWatch:
    """Asks for the venue's list again and again, and takes over what has changed.

    An instrument that is missing from the list is asked for by name before it is taken for gone: a list may be cut
    short, a single answer is not. Whatever is gone stays known, with a status that says so.
    """

    def __init__(self, config: BybitConfig, queries: Queries, instruments: Instruments) -> None:
        self._config = config
        self._queries = queries
        self._instruments = instruments
        self._tasks = Background()
        self._doubted = asyncio.Event()

    def start(self, tell: Callable[[Sequence[Instrument]], None]) -> None:
        """Begin to ask; ``tell`` is called with what has changed, whole."""
        self._tasks.spawn(self._watch(tell), "listing")

    def is_traded(self, instrument_id: int) -> bool:
        """Whether an instrument is traded as far as is known; the venue is asked soon, for there is a doubt."""
        self._doubted.set()
        instrument = self._instruments.by_id.get(instrument_id)
        return instrument is None or instrument.get_status() == TRADING

    async def close(self) -> None:
        """Ask no more."""
        await self._tasks.close()

    async def _watch(self, tell: Callable[[Sequence[Instrument]], None]) -> None:
        while True:
            await self._pause()
            for category in self._config.categories:
                try:
                    changed = await self._changes(category)
                except (VenueError, DecodeError) as error:
                    log.warning("instruments not asked for: %s", error)
                    continue
                if changed:
                    tell(self._instruments.add(changed))

    async def _pause(self) -> None:
        """Wait until it is time to ask again, or until there is a doubt, but a little in any case."""
        every_s = self._config.instruments_every_ms / 1_000
        await asyncio.sleep(min(every_s, _SOONEST_S))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._doubted.wait(), every_s - _SOONEST_S)
        self._doubted.clear()

    async def _changes(self, category: str) -> list[Instrument]:
        """What is new in a category, has other rules, or is not traded any more."""
        listing = await self._queries.listing(category)
        listed = {instrument.get_exch_instr_id(): instrument for instrument in listing.instruments}
        changed = []
        for instrument in self._instruments.of(category):
            now = listed.pop(instrument.get_exch_instr_id(), None)
            if now is None:
                now = await self._not_listed(instrument, category, listing)
            if now != instrument:
                _log_change(instrument, now)
                changed.append(now)
        known = self._instruments.by_id
        added = [each for each in listed.values() if each.get_instrument_id() not in known]
        for instrument in added:
            log.warning("%s is listed now", instrument.get_instrument_name())
        return changed + added

    async def _not_listed(self, instrument: Instrument, category: str, listing: Listing) -> Instrument:
        """What has become of an instrument that is not among those that can be traded."""
        symbol = instrument.get_exch_instr_id()
        if symbol not in listing.idle:
            if instrument.get_status() == _DELISTED:
                return instrument
            listing = await self._ask_for(category, symbol)
            for found in listing.instruments:
                if found.get_exch_instr_id() == symbol:
                    return found
        status = listing.idle.get(symbol, _DELISTED)
        if status == instrument.get_status():
            return instrument
        for line in listing.refused:
            if line.startswith(f"instrument {symbol} "):
                log.error("%s", line)
        as_json = InstrumentUtils.get_json_from_instrument(instrument)
        return InstrumentUtils.get_instrument_from_json(as_json | {"status": status})

    async def _ask_for(self, category: str, symbol: str) -> Listing:
        """What the venue says of one symbol; nothing where it does not know it, which some call an error."""
        try:
            return await self._queries.listing(category, symbol)
        except VenueRefusal as refusal:
            if reject_code(refusal.code) is not GtwRejectCode.InvalidRequest:
                raise
            return Listing([], [], {})


def _log_change(before: Instrument, after: Instrument) -> None:
    """Say what has changed, name by name."""
    old, new = (InstrumentUtils.get_json_from_instrument(each) for each in (before, after))
    changes = [f"{key} {old.get(key)} -> {new.get(key)}" for key in old | new if old.get(key) != new.get(key)]
    log.warning("%s has changed: %s", after.get_instrument_name(), ", ".join(changes))
