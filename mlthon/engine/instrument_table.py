"""The instruments of a run, and how what a strategy calls one is turned into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlthon._core.order_entry import Versioned
from mlthon.basics.defs import Exchange
from mlthon.errors import InstrumentError
from mlthon.instruments.instrument import Instrument

__all__ = ["InstrumentTable"]


class InstrumentTable(Versioned):
    """All instruments of the requested exchanges.

    An instrument is named by its id, by its full name (``byt:perp:BTC-USDT``), or by its bare symbol
    (``BTC-USDT``, or the venue's own ``BTCUSDT``) where that fits only one of the exchange.
    """

    def __init__(self, instruments: Iterable[Instrument] = ()) -> None:
        self._by_id: dict[int, Instrument] = {}
        self._by_key: dict[tuple[Exchange, str], list[Instrument]] = {}
        for instrument in instruments:
            self.add(instrument)

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._by_id.values())

    def add(self, instrument: Instrument) -> None:
        """Add an instrument; raises InstrumentError when its id belongs to another name."""
        number = instrument.get_instrument_id()
        known = self._by_id.get(number)
        if known is not None and known.get_instrument_name() != instrument.get_instrument_name():
            raise InstrumentError(
                f"instrument id {number} is shared by {known.get_instrument_name()} and "
                f"{instrument.get_instrument_name()}: give one of them a fixed id in instrument_ids"
            )
        self.version += 1
        self._by_id[number] = instrument
        names = (
            instrument.get_instrument_name(),
            instrument.get_mlt_symbol(),
            instrument.get_exch_instr_id(),
        )
        for name in dict.fromkeys(names):
            entries = self._by_key.setdefault((instrument.get_exchange(), _fold(name)), [])
            entries[:] = [entry for entry in entries if entry.get_instrument_id() != number]
            entries.append(instrument)

    def by_id(self, instrument_id: int) -> Instrument:
        """Return the instrument of that id; raises InstrumentError."""
        try:
            return self._by_id[instrument_id]
        except KeyError:
            raise InstrumentError(f"no instrument has the id {instrument_id}") from None

    def resolve(self, exchange: Exchange, key: int | str | Instrument) -> Instrument:
        """Return the one instrument of ``exchange`` that ``key`` names.

        Raises InstrumentError when there is none or more than one, TypeError when ``key`` is no id, name or symbol.
        """
        if isinstance(key, Instrument):
            key = key.get_instrument_id()
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise TypeError(f"instrument: expected an id (int), a name or a symbol (str), got {key!r}")
        if isinstance(key, int):
            found = self._by_id.get(key)
            if found is None or found.get_exchange() is not exchange:
                raise InstrumentError(f"{exchange.name} has no instrument with the id {key}")
            return found
        candidates = self._by_key.get((exchange, _fold(key)), [])
        if not candidates:
            raise InstrumentError(f"{exchange.name} has no instrument {key!r}{self._hint(exchange)}")
        if len(candidates) > 1:
            names = ", ".join(sorted(candidate.get_instrument_name() for candidate in candidates))
            raise InstrumentError(f"{exchange.name} has several instruments {key!r}: name one of {names}")
        return candidates[0]

    def _hint(self, exchange: Exchange) -> str:
        names = sorted(i.get_instrument_name() for i in self if i.get_exchange() is exchange)
        if not names:
            return " (no instruments of it are loaded)"
        shown = ", ".join(names[:5])
        return f" (it has {shown}{', ...' if len(names) > 5 else ''})"


def _fold(name: str) -> str:
    return name.upper()
