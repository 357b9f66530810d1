"""The one way from what the venue reports to the gateway's listener.

Streams, answers to questions, and what is found out after a gap all pass here, so that old news is held back
wherever it comes from.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from mlthon.basics.qty import Qty
from mlthon.engine.ports import FillReport, GatewayListener, OrderReport
from mlthon.exchanges.bybit.codec.account import Balance, PositionRow
from mlthon.exchanges.bybit.codec.private import Fills, Orders, Positions, Wallets
from mlthon.exchanges.bybit.instruments import Instruments
from mlthon.exchanges.bybit.known_orders import KnownOrders
from mlthon.exchanges.bybit.tally import Tally
from mlthon.instruments.instrument import Instrument

__all__ = ["Reports"]

log = logging.getLogger("mlthon.exchanges.bybit")

_ZERO = Qty("0")


class Reports:
    """Passes reports on, and remembers of them what is needed to tell old from new.

    ``on_sight`` is called with every order report, and ``before_order`` with each that is going to be told, before
    it is. ``on_missing_fills`` is called with the report of an open order that counts fills which have not come by.
    """

    def __init__(self, instruments: Instruments, known: KnownOrders) -> None:
        self._instruments = instruments
        self._known = known
        self._sizes: dict[tuple[int, int], Qty] = {}  # by instrument id and leg
        self._seqs: dict[tuple[int, int], int] = {}
        self.totals: dict[str, Qty] = {}  #: the latest balance that was told of each coin
        self.unclear: dict[int, str] = {}  #: why a position is not known now, by instrument id
        self.listener: GatewayListener | None = None
        self.on_sight: Callable[[OrderReport], None] = lambda _: None
        self.on_missing_fills: Callable[[OrderReport], None] = lambda _: None
        self.before_order: Callable[[OrderReport], None] = lambda _: None
        self.last_fill_ms = 0  # the venue's stamp of the latest fill, or of the first connection
        self.tally = Tally("account")

    @property
    def tell(self) -> GatewayListener:
        """The listener."""
        assert self.listener is not None
        return self.listener

    def frame(self, frame: Orders | Fills | Positions | Wallets) -> None:
        """Pass on a message of the private stream."""
        if isinstance(frame, Fills):
            for fill in frame.fills:
                self.fill(fill)
            self._count("payment, not a fill", frame.payments)
            for line in frame.forced:
                log.warning("the venue traded for the account: %s", line)
        elif isinstance(frame, Orders):
            for report in frame.reports:
                self.order(report)
        elif isinstance(frame, Positions):
            for row in frame.positions:
                self.positions(row.instrument, [row])
            for odd in frame.odd:
                self.odd_position(odd.instrument, odd.error)
        else:
            for balance in frame.balances:
                self.balance(balance)
            for error in frame.odd:
                log.error("a balance that makes no sense is passed over: %s", error)
        if not isinstance(frame, Wallets):
            self._count("row of an instrument that was not loaded", frame.foreign)

    def order(self, report: OrderReport, *, is_news: bool = False) -> None:
        """Pass on an order's state, unless it is older than what was told; one that certainly `is_news` is not."""
        self.on_sight(report)
        if not self._known.admit(report, self.instrument(report), is_news=is_news):
            self.tally.count("outdated order report held back", report.wire_id or report.exchange_id)
            return
        self.before_order(report)
        self.tell.on_order_report(report)
        if self._known.lacks_fills(report.wire_id):
            self.on_missing_fills(report)

    def instrument(self, report: OrderReport) -> Instrument:
        """The instrument that a report is about."""
        return self._instruments.by_id[report.instrument_id]

    def fill(self, fill: FillReport) -> None:
        """Pass on a fill; the listener knows the ones it had."""
        self.last_fill_ms = max(self.last_fill_ms, fill.exec_ms)
        self._known.apply_fill(fill)
        self.tell.on_fill_report(fill)

    def positions(
        self, instrument: Instrument, rows: Sequence[PositionRow], *, is_news: bool = False
    ) -> None:
        """Take in an instrument's positions and pass on their sum; those that certainly are `is_news` are not old."""
        number = instrument.get_instrument_id()
        if rows and self.unclear.pop(number, None) is not None:
            log.warning("the position in %s is known again", instrument.get_instrument_name())
        for row in rows:
            if row.leg != 0:  # refused when connecting; the venue then refuses our orders
                self.tally.count("position of an account in hedge mode", instrument.get_exch_instr_id())
            leg = (number, row.leg)
            if row.seq is not None and row.seq < self._seqs.get(leg, row.seq) and not is_news:
                self.tally.count("outdated position held back", instrument.get_exch_instr_id())
                continue
            if row.seq is not None:
                self._seqs[leg] = row.seq
            self._sizes[leg] = row.size
        self.tell.on_position(instrument, self.size(number))

    def size(self, number: int) -> Qty:
        """The position in an instrument, by its id, as far as was told."""
        return sum((size for (owner, _), size in self._sizes.items() if owner == number), _ZERO)

    def odd_position(self, instrument: Instrument | None, error: str) -> None:
        """Note that what the venue says of a position makes no sense, so that it is not known for now."""
        if instrument is None:
            log.error("a position that makes no sense, in nobody knows what, is passed over: %s", error)
            return
        name = instrument.get_instrument_name()
        if instrument.get_instrument_id() not in self.unclear:
            log.error("the position in %s is not known, new orders in it are refused: %s", name, error)
        self.unclear[instrument.get_instrument_id()] = f"the position in {name} is not known: {error}"

    def in_question(self) -> list[Instrument]:
        """The instruments in which, as far as was told, there is a position, or in which it is not known."""
        numbers = {number for (number, _), size in self._sizes.items() if not size.is_zero()}
        return [self._instruments.by_id[number] for number in sorted(numbers | self.unclear.keys())]

    def balance(self, balance: Balance) -> None:
        """Pass on a balance."""
        self.totals[balance.coin] = balance.total
        self.tell.on_wallet(balance.coin, balance.total, balance.available)

    def _count(self, name: str, times: int) -> None:
        for _ in range(times):
            self.tally.count(name)
