"""What a backtest plays: recordings and made-up markets, and whether they fit together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import RateUpdate
from mlthon._core.tape_cursor import TapeCursor
from mlthon.basics.defs import Exchange
from mlthon.errors import ConfigError
from mlthon.instruments.instrument import Instrument
from mlthon.tape.listing import joined

if TYPE_CHECKING:
    from mlthon.tape.format import TapeCounts

__all__ = [
    "MarketSource",
    "Recording",
    "open_market",
    "refuse_overlaps",
    "refuse_strangers",
    "refuse_strays",
    "tells",
    "unique",
]


class MarketSource(Protocol):
    """A market to play: a recording, or one made up.

    Where it has an ``origin`` (text), only markets of the same origin are taken for parts of one.
    """

    @property
    def instrument(self) -> Instrument: ...

    def __iter__(self) -> Iterator[tuple[int, DepthUpdate | PublicTrade | RateUpdate]]:
        """Yield ``(gap_ns, event)``, gap_ns being the time since the event before."""


@runtime_checkable
class Recording(MarketSource, Protocol):
    """A market that compiled code can read by itself."""

    @property
    def counts(self) -> TapeCounts: ...

    @property
    def origin(self) -> str: ...

    def cursor(self) -> TapeCursor:
        """Read it from its start."""


def open_market(tape: str | Path | MarketSource) -> MarketSource:
    """A recording by its path, or the market that was given."""
    if not isinstance(tape, str | Path):
        if not isinstance(getattr(tape, "instrument", None), Instrument):
            raise ConfigError(
                f"backtest: expected the path of a tape, or a market with an instrument, got {tape!r:.200}"
            )
        return tape
    from mlthon.tape.opening import open_tape  # noqa: PLC0415  (made-up markets need no pyarrow)

    return open_tape(tape)


def refuse_strangers(sources: Iterable[MarketSource]) -> None:
    """Raise ConfigError where recordings of two venues would become one instrument."""
    first: dict[int, MarketSource] = {}
    for source in sources:
        known = first.setdefault(source.instrument.get_instrument_id(), source)
        if origin_of(known) != origin_of(source):
            names = " and ".join(
                f"{each!r} of {origin_of(each) or 'a venue that it does not name'}"
                for each in (known, source)
            )
            hint = (
                "" if origin_of(known) and origin_of(source) else ", or its venue to the one that names none"
            )
            raise ConfigError(
                f"tapes: {names} would become one instrument, {source.instrument.get_instrument_name()}:"
                f" give one an exchange of its own{hint}, --tape FILE@EXCHANGE or open_tape(path, exchange=...)"
            )


def origin_of(source: MarketSource) -> str:
    """Where a market was recorded, or made; "" where it does not say."""
    return str(getattr(source, "origin", ""))


def refuse_strays(settings: Iterable[Exchange], instruments: Iterable[Instrument]) -> None:
    """Raise ConfigError for settings of an exchange where nothing is traded: they can only be a slip."""
    traded = dict.fromkeys(instrument.get_exchange() for instrument in instruments)
    for exchange in settings:
        if exchange not in traded:
            names = ", ".join(each.name for each in traded)
            raise ConfigError(
                f"settings: expected those of exchanges with a tape, {names}, got {exchange.name}"
            )


def unique(sources: Sequence[MarketSource]) -> list[Instrument]:
    """Each instrument once; raises ConfigError where two tapes disagree about one.

    Steps are those of books and trades: prices of marks are finer, and say nothing of them.
    """
    found: dict[int, Instrument | None] = {source.instrument.get_instrument_id(): None for source in sources}
    for source in sorted(sources, key=tells_only_rates):
        instrument = source.instrument
        known = found[instrument.get_instrument_id()]
        if known is None or known == instrument:
            found[instrument.get_instrument_id()] = instrument
        elif not tells_only_rates(source):
            both = joined(known, instrument)
            if both is None:
                raise ConfigError(f"tapes: they disagree about {instrument.get_instrument_name()}")
            found[instrument.get_instrument_id()] = both
    return [instrument for instrument in found.values() if instrument is not None]


def tells_only_rates(source: MarketSource) -> bool:
    """Whether a recording has neither a book nor trades."""
    if not isinstance(source, Recording):
        return False
    return not any(tells(source.counts, what) for what in ("book", "trades"))


def refuse_overlaps(recordings: Sequence[Recording]) -> None:
    """Raise ConfigError where two recordings tell the same of one instrument at the same time."""
    for first, second in combinations(recordings, 2):
        ids = first.instrument.get_instrument_id(), second.instrument.get_instrument_id()
        if ids[0] != ids[1] or not may_overlap(first.counts, second.counts):
            continue
        for what in ("book", "trades"):
            if tells(first.counts, what) and tells(second.counts, what):
                name = first.instrument.get_instrument_name()
                raise ConfigError(
                    f"tapes: {first!r} and {second!r} tell the {what} of {name} at the same time"
                )


def may_overlap(first: TapeCounts, second: TapeCounts) -> bool:
    """Whether two recordings have a moment in common."""
    return first.first_recv_ns <= second.last_recv_ns and second.first_recv_ns <= first.last_recv_ns


def tells(counts: TapeCounts, what: str) -> int:
    """How much a recording tells of a book, or of trades."""
    return counts.trades if what == "trades" else counts.depth_messages + counts.order_changes
