"""Several recordings of one market as one: a book from here, trades from there."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import attrgetter

from mlthon.errors import TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.tape.recording import Recording, TapeEvent

__all__ = ["MergedRecording"]


class MergedRecording:
    """Recordings of one instrument, merged by when their events were received; ties go to the one named first.

    What each tells of its market must be one name, and their venue one, where they tell it; tick and lot are those of
    the first. Raises TapeError otherwise.
    """

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self.recordings = recordings
        names = [recording.instrument.get_instrument_name() for recording in recordings]
        if len(set(names)) != 1:
            raise TapeError(f"expected recordings of one instrument, to merge them, got {', '.join(names)}")
        self.origins = list(dict.fromkeys(recording.origin for recording in recordings if recording.origin))
        if len(self.origins) > 1:
            raise TapeError(
                f"expected recordings of one venue, to merge them, got {', '.join(self.origins)}:"
                " import them one by one, each with --exchange"
            )

    @property
    def instrument(self) -> Instrument:
        """What was recorded."""
        return self.recordings[0].instrument

    @property
    def origin(self) -> str:
        """Which venue it was recorded at."""
        return self.origins[0] if self.origins else ""

    def events(self) -> Iterator[TapeEvent]:
        """Read all of them from their starts."""
        return heapq.merge(*(recording.events() for recording in self.recordings), key=attrgetter("recv_ns"))

    def notes(self) -> dict[str, int]:
        """The sums of what each of them notes."""
        total: Counter[str] = Counter()
        for recording in self.recordings:
            total.update(recording.notes())
        return dict(total)
