"""What came of a run: the strategy's own books beside the venue's, as a table or as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.table import Table

from mlthon._core.price_book import PriceLevelBook
from mlthon.basics.defs import Exchange
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.live import LiveEngine
from mlthon.engine.strat_env import StratEnv
from mlthon.errors import LedgerMismatch
from mlthon.run.output import Output
from mlthon.run.simulated_venue import SimulatedVenue

__all__ = ["Summary", "VenueBooks", "decimals_of", "mark_prices"]


def decimals_of(currency: str) -> int:
    """How many decimals a person wants to see of a sum of money.

    >>> decimals_of("USDT"), decimals_of("BTC")
    (2, 8)
    """
    return 2 if currency.startswith("USD") else 8


def mark_prices(env: StratEnv, exchange: Exchange, venue: SimulatedVenue) -> dict[int, Price]:
    """What the instrument is worth, by its id: the middle of the strategy's own book, else the venue's mark."""
    mark = _mid(env.feeds[exchange].book(venue.instrument))
    if mark is None:
        mark = venue.mark_price()
    return {} if mark is None else {venue.instrument.get_instrument_id(): mark}


def _mid(book: PriceLevelBook | None) -> Price | None:
    if book is None:
        return None
    bid, ask = next(iter(book.bids()), None), next(iter(book.asks()), None)
    return None if bid is None or ask is None else (bid.get_price() + ask.get_price()) / 2


@dataclass(frozen=True, slots=True)
class VenueBooks:
    """What the venue booked of a run.

    Of contracts it books positions; of a spot pair nothing but what it took from the account's coins and added to
    them, and so profit and fees are not told apart there.
    """

    position: Qty
    fills: int
    realised: MLDecimal | None
    fees: MLDecimal | None
    cash: MLDecimal | None  #: the change in the quote coin

    @classmethod
    def of(cls, venue: SimulatedVenue) -> VenueBooks:
        """Read the books of the venue's account."""
        fills, terms = venue.exchange.fill_count(venue.account), venue.terms
        if terms.is_spot:
            position = Qty.from_mantissa(venue.earned(terms.base).mantissa)
            return cls(position, fills, None, None, venue.earned(terms.quote))
        booked = venue.account.position(terms.symbol)
        return cls(booked.size, fills, booked.realised_pnl, booked.fees, None)


@dataclass(frozen=True, slots=True)
class Summary:
    """A finished run. Quantities in the instrument's unit, money in what it is settled in.

    ``realised`` is the profit of what was closed before fees; ``unrealised`` that of what is open, at the mid;
    ``cash`` what buying and selling left of the money. ``volume`` is in the quote currency.
    """

    mode: str
    strategy: str
    instrument: str
    currency: str
    volume_currency: str
    elapsed_s: float
    events: int
    callbacks: int
    orders: dict[str, int]
    fills: int
    volume: MLDecimal
    position: Qty
    realised: MLDecimal
    unrealised: MLDecimal
    fees: MLDecimal
    cash: MLDecimal
    venue: VenueBooks

    @classmethod
    def of(cls, engine: LiveEngine, exchange: Exchange, venue: SimulatedVenue) -> Summary:
        """Read both sides' books."""
        env = engine.env
        desk = env.desks[exchange]
        counts = {key: desk.counts[key] for key in ("sent", "acked", "rejected", "cancelled", "filled")}
        for key in ("sent", "rejected"):  # those that did not pass the engine's own checks were never sent on
            counts[key] += env.orders.refused
        portfolio = env.portfolio
        position = portfolio.position(venue.instrument)
        return cls(
            mode="demo",
            strategy=type(env.dispatcher.strategy).__name__,
            instrument=venue.instrument.get_instrument_name(),
            currency=venue.terms.coin,
            volume_currency=venue.terms.quote,
            elapsed_s=engine.elapsed_s,
            events=env.feeds[exchange].events + desk.events,
            callbacks=env.dispatcher.callback_total,
            orders={**counts, "open": len(desk.open_orders())},
            fills=portfolio.fills,
            volume=portfolio.volume,
            position=position.size,
            realised=portfolio.realised(),
            unrealised=portfolio.unrealised(mark_prices(env, exchange, venue)),
            fees=portfolio.fees(),
            cash=position.realised - position.entry_value - position.fees,
            venue=VenueBooks.of(venue),
        )

    def check_ledgers(self) -> None:
        """Raise LedgerMismatch, naming every figure on which the two sides disagree."""
        pairs = (
            ("position", self.position, self.venue.position),
            ("fills", self.fills, self.venue.fills),
            ("realised pnl", self.realised, self.venue.realised),
            ("fees", self.fees, self.venue.fees),
            ("cash", self.cash, self.venue.cash),
        )
        wrong = [
            f"{what} {own} here, {booked} there"
            for what, own, booked in pairs
            if booked is not None and own != booked
        ]
        if wrong:
            raise LedgerMismatch(f"the strategy's books and the venue's disagree: {'; '.join(wrong)}")

    def to_json(self) -> dict[str, Any]:
        """The summary as plain JSON values; numbers are rounded to the nearest double."""
        return {
            "mode": self.mode,
            "strategy": self.strategy,
            "instrument": self.instrument,
            "currency": self.currency,
            "elapsed_s": round(self.elapsed_s, 3),
            "events": self.events,
            "callbacks": self.callbacks,
            "orders": self.orders,
            "fills": self.fills,
            "volume": self.volume.to_float(),
            "position": self.position.to_float(),
            "pnl": {
                "realised": self.realised.to_float(),
                "unrealised": self.unrealised.to_float(),
                "fees": self.fees.to_float(),
            },
            "venue": {"position": self.venue.position.to_float(), "fills": self.venue.fills},
        }

    def print(self, output: Output) -> None:
        """Show it to a person, or write it for a program."""
        net = self.realised + self.unrealised - self.fees
        places = decimals_of(self.currency)
        table = Table(
            title=f"{self.strategy} on {self.instrument}, {self.elapsed_s:.1f} s", title_justify="left"
        )
        table.add_column("")
        table.add_column("strategy", justify="right")
        table.add_column("venue", justify="right")
        for what, own, booked in (
            ("position", f"{self.position:+,.3f}", f"{self.venue.position:+,.3f}"),
            ("fills", f"{self.fills:,}", f"{self.venue.fills:,}"),
            ("realised pnl", f"{self.realised:+,.{places}f}", _text(self.venue.realised, f"+,.{places}f")),
            ("fees", f"{self.fees:,.{places}f}", _text(self.venue.fees, f",.{places}f")),
            ("unrealised pnl", f"{self.unrealised:+,.{places}f}", ""),
        ):
            table.add_row(what, own, booked)
        if self.venue.cash is not None:
            table.add_row("cash", f"{self.cash:+,.{places}f}", f"{self.venue.cash:+,.{places}f}")
        table.add_row(f"net pnl, {self.currency}", f"{net:+,.{places}f}", "", end_section=True)
        table.add_row(f"volume, {self.volume_currency}", f"{self.volume:,.2f}", "")
        output.show(table)
        output.line("orders: " + ", ".join(f"{count:,} {what}" for what, count in self.orders.items()))
        output.line(f"market and order events: {self.events:,}; callbacks: {self.callbacks:,}")
        output.result(self.to_json())


def _text(amount: MLDecimal | None, spec: str) -> str:
    return "" if amount is None else format(amount, spec)
