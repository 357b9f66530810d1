"""What a run writes down while it goes, for its result: orders, fills, and the books of each instrument.

Once a second it is found out how things stand. The curves of that are bounded (`mlthon.backtest.curve`), the figures
are counted along the way (`mlthon.backtest.pnl`): memory grows with what the strategy does, not with the tape.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable

from mlthon._core.fixed_column import FixedColumn
from mlthon._core.order_steps import OrderSteps
from mlthon.backtest.pnl import CoinBooks, InstrumentBooks
from mlthon.basics.defs import GtwRejectCode, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.engine.ports import FillReport, RequestKind
from mlthon.errors import ConfigError
from mlthon.instruments.instrument import Instrument

__all__ = ["LIQUIDATION", "MAKER", "MARK_OUTS_S", "NOBODYS", "TAKER", "Trace"]

TAKER, MAKER, LIQUIDATION = range(3)
NOBODYS = -1  #: the order of a fill that no order of the strategy caused
MARK_OUTS_S = (1, 5, 30)

_NS_PER_S = 1_000_000_000


class Fills:
    """Every fill: a row each. ``mid`` is that at the fill, ``marks`` are those after each of `MARK_OUTS_S`."""

    def __init__(self) -> None:
        self.ns = array("q")
        self.order = array("q")  # the number of the order, or NOBODYS
        self.instrument = array("q")
        self.is_buy = array("b")
        self.price = FixedColumn()
        self.qty = FixedColumn()
        self.fee = FixedColumn()
        self.fee_coin: list[str] = []  # interned: a pointer a row
        self.liquidity = array("b")  # TAKER, MAKER or LIQUIDATION
        self.mid = FixedColumn()
        self.marks = tuple(FixedColumn() for _ in MARK_OUTS_S)

    def __len__(self) -> int:
        return len(self.ns)


class Trace:
    """Written by whoever drives a run; read by `Result`. Implements `mlthon.engine.order_desk.OrderRecord`.

    ``mid_of`` says what an instrument, given by its id, is worth now: best the middle of the market without the
    strategy's own orders; None where there is none. ``mark_of`` says at what its venue marks it, where that is told;
    else positions are valued at the mid. ``now_ns`` is the run's clock. Instruments are numbered as they
    are given; there must be all that may be traded.

    The driver calls `sample` before it applies the first event at or after `next_due_ns`, so that a sample shows the
    market as it stood at its time, and `end` when all is over.

    >>> trace = Trace([], lambda instrument_id: None, lambda: 0)
    >>> trace.sample(1_500_000_000)
    >>> trace.next_due_ns
    2000000000
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        mid_of: Callable[[int], Price | None],
        now_ns: Callable[[], int],
        *,
        mark_of: Callable[[int], Price | None] = lambda _instrument_id: None,
        every_ns: int = _NS_PER_S,
    ) -> None:
        if every_ns <= 0:
            raise ConfigError(f"trace: expected samples more than 0 ns apart, got {every_ns}")
        self.instruments = tuple(instruments)
        self.every_ns = every_ns
        self.next_due_ns = 0  #: the first call of `sample` is due at once
        self.on_change: Callable[[], None] = lambda: None  #: called when `next_due_ns` is another time
        self.started_ns = self.ended_ns = 0
        self.fills = Fills()
        self.refusals: Counter[tuple[RequestKind, GtwRejectCode]] = Counter()  #: by the engine, never sent
        self.books = tuple(InstrumentBooks(instrument, every_ns) for instrument in self.instruments)
        self.coins = tuple(
            CoinBooks(coin, [books for books in self.books if books.coin == coin], every_ns)
            for coin in dict.fromkeys(books.coin for books in self.books)
        )
        self._mid_of = mid_of
        self._mark_of = mark_of
        self._numbers = {instrument.get_instrument_id(): n for n, instrument in enumerate(self.instruments)}
        self.orders = OrderSteps(self._numbers, now_ns)
        self.record_order = self.orders.record_order  #: compiled: every order takes several steps
        self._coins: dict[str, str] = {}
        self._next_sample_ns = 0
        self._awaited: tuple[deque[tuple[int, int]], ...] = tuple(deque() for _ in MARK_OUTS_S)

    # -- time --------------------------------------------------------------------------------------------------

    def sample(self, now_ns: int) -> None:
        """Write down what was due until now. Nothing has happened since `next_due_ns`, so the market is as it was."""
        if self._next_sample_ns == 0:
            self.started_ns = now_ns
            for books in self.books:
                books.begin(now_ns)
            self._write_sample(now_ns)
        elif self._next_sample_ns <= now_ns:
            self._write_sample(self._next_sample_ns)
        if self._next_sample_ns <= now_ns:
            self._next_sample_ns = (now_ns // self.every_ns + 1) * self.every_ns
        for marks, awaited in zip(self.fills.marks, self._awaited, strict=True):
            while awaited and awaited[0][0] <= now_ns:
                _, fill = awaited.popleft()
                marks[fill] = self._mid(self.fills.instrument[fill])
        self._set_due()

    def end(self, now_ns: int) -> None:
        """Write down how things stand after everything. Mark-outs that were not due yet stay unknown."""
        self.sample(now_ns)
        self._write_sample(now_ns, is_last=True)
        self.ended_ns = now_ns

    # -- what happens ------------------------------------------------------------------------------------------

    def record_refusal(self, kind: RequestKind, code: GtwRejectCode) -> None:
        """Count a request that the engine did not send."""
        self.refusals[kind, code] += 1

    def record_fill(self, ns: int, fill: FillReport, order: int = NOBODYS) -> None:
        """Write down a fill, at the time it was made, and of which order: by its number among `orders`.

        Fills come in order of time.
        """
        self._add_fill(ns, order, self._numbers[fill.instrument_id], fill, MAKER if fill.is_maker else TAKER)

    def record_liquidation(self, ns: int, fill: FillReport) -> None:
        """Write down that a position, or a part of it, was taken over."""
        self._add_fill(ns, NOBODYS, self._numbers[fill.instrument_id], fill, LIQUIDATION)

    def record_funding(self, instrument_id: int, received: MLDecimal) -> None:
        """Write down a payment, in the coin the instrument settles in; negative: paid."""
        self.books[self._numbers[instrument_id]].apply_funding(received)

    def liquidated(self) -> Counter[int]:
        """How often positions were taken over, by instrument id."""
        rows = self.fills
        return Counter(
            self.instruments[number].get_instrument_id()
            for number, liquidity in zip(rows.instrument, rows.liquidity, strict=True)
            if liquidity == LIQUIDATION
        )

    # -- details -----------------------------------------------------------------------------------------------

    def _mid(self, number: int) -> Price | None:
        return self._mid_of(self.instruments[number].get_instrument_id())

    def _write_sample(self, ns: int, *, is_last: bool = False) -> None:
        """Where something may have changed; in the end everywhere, so that all curves have an end."""
        coins = set()
        for number, books in enumerate(self.books):
            mid = self._mid(number)
            if mid is None and is_last:
                mid = books.mid
            if mid is None:
                continue
            is_open = is_last and books.curve.ns[-1:] != array("q", [ns])
            mark = self._mark_of(books.instrument.get_instrument_id()) or mid
            if mid != books.mid or mark != books.mark or books.is_stirred or is_open:
                books.sample(ns, mid, mark)
                coins.add(books.coin)
        for coin in self.coins:
            if coin.coin in coins:
                coin.sample(ns)

    def _set_due(self) -> None:
        due_ns = self._next_sample_ns
        for awaited in self._awaited:
            if awaited and awaited[0][0] < due_ns:
                due_ns = awaited[0][0]
        self.next_due_ns = due_ns
        self.on_change()

    def _add_fill(self, ns: int, order: int, instrument: int, fill: FillReport, liquidity: int) -> None:
        rows, row = self.fills, len(self.fills)
        self.books[instrument].apply_fill(ns, fill)
        rows.ns.append(ns)
        rows.order.append(order)
        rows.instrument.append(instrument)
        rows.is_buy.append(fill.side is Side.Buy)
        rows.price.append(fill.price)
        rows.qty.append(fill.qty)
        rows.fee.append(fill.fee)
        rows.fee_coin.append(self._coins.setdefault(fill.fee_currency, fill.fee_currency))
        rows.liquidity.append(liquidity)
        rows.mid.append(self._mid(instrument))
        for after_s, marks, awaited in zip(MARK_OUTS_S, rows.marks, self._awaited, strict=True):
            marks.append(None)
            awaited.append((ns + after_s * _NS_PER_S, row))
        self._set_due()
