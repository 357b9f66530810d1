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

__all__ = ["Summary", "mark_prices"]


def mark_prices(env: StratEnv, exchange: Exchange, venue: SimulatedVenue) -> dict[int, Price]:
    """What the instrument is worth, by its id: the middle of the strategy's own book, else the venue's mark."""
    mark = _mid(env.feeds[exchange].book(venue.instrument))
    if mark is None:
        mark = venue.exchange.mark_price(venue.instrument.get_exch_instr_id())
    return {} if mark is None else {venue.instrument.get_instrument_id(): mark}


def _mid(book: PriceLevelBook | None) -> Price | None:
    if book is None:
        return None
    bid, ask = next(iter(book.bids()), None), next(iter(book.asks()), None)
    return None if bid is None or ask is None else (bid.get_price() + ask.get_price()) / 2


@dataclass(frozen=True, slots=True)
class Summary:
    """A finished run. Quantities in the instrument's unit, money in its quote currency.

    ``realised`` is the profit of what was closed before fees; ``unrealised`` that of what is open, at the mid.
    """

    mode: str
    strategy: str
    instrument: str
    currency: str
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
    venue_position: Qty
    venue_fills: int
    venue_realised: MLDecimal
    venue_fees: MLDecimal

    @classmethod
    def of(cls, engine: LiveEngine, exchange: Exchange, venue: SimulatedVenue) -> Summary:
        """Read both sides' books."""
        env = engine.env
        desk = env.desks[exchange]
        counts = {key: desk.counts[key] for key in ("sent", "acked", "rejected", "cancelled", "filled")}
        for key in ("sent", "rejected"):  # those that did not pass the engine's own checks were never sent on
            counts[key] += env.orders.refused
        portfolio = env.portfolio
        booked = venue.account.position(venue.instrument.get_exch_instr_id())
        return cls(
            mode="demo",
            strategy=type(env.dispatcher.strategy).__name__,
            instrument=venue.instrument.get_instrument_name(),
            currency=venue.instrument.get_quote_currency(),
            elapsed_s=engine.elapsed_s,
            events=env.feeds[exchange].events + desk.events,
            callbacks=env.dispatcher.callback_total,
            orders={**counts, "open": len(desk.open_orders())},
            fills=portfolio.fills,
            volume=portfolio.volume,
            position=portfolio.position(venue.instrument).size,
            realised=portfolio.realised(),
            unrealised=portfolio.unrealised(mark_prices(env, exchange, venue)),
            fees=portfolio.fees(),
            venue_position=booked.size,
            venue_fills=venue.exchange.fill_count(venue.account),
            venue_realised=booked.realised_pnl,
            venue_fees=booked.fees,
        )

    def check_ledgers(self) -> None:
        """Raise LedgerMismatch, naming every figure on which the two sides disagree."""
        pairs = (
            ("position", self.position, self.venue_position),
            ("fills", self.fills, self.venue_fills),
            ("realised pnl", self.realised, self.venue_realised),
            ("fees", self.fees, self.venue_fees),
        )
        wrong = [f"{what} {own} here, {booked} there" for what, own, booked in pairs if own != booked]
        if wrong:
            raise LedgerMismatch(f"the strategy's books and the venue's disagree: {'; '.join(wrong)}")

    def to_json(self) -> dict[str, Any]:
        """The summary as plain JSON values; numbers are rounded to the nearest double."""
        return {
            "mode": self.mode,
            "strategy": self.strategy,
            "instrument": self.instrument,
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
            "venue": {"position": self.venue_position.to_float(), "fills": self.venue_fills},
        }

    def print(self, output: Output) -> None:
        """Show it to a person, or write it for a program."""
        net = self.realised + self.unrealised - self.fees
        table = Table(
            title=f"{self.strategy} on {self.instrument}, {self.elapsed_s:.1f} s", title_justify="left"
        )
        table.add_column("")
        table.add_column("strategy", justify="right")
        table.add_column("venue", justify="right")
        table.add_row("position", f"{self.position:+,.3f}", f"{self.venue_position:+,.3f}")
        table.add_row("fills", f"{self.fills:,}", f"{self.venue_fills:,}")
        table.add_row("realised pnl", f"{self.realised:+,.2f}", f"{self.venue_realised:+,.2f}")
        table.add_row("fees", f"{self.fees:,.2f}", f"{self.venue_fees:,.2f}")
        table.add_row("unrealised pnl", f"{self.unrealised:+,.2f}", "")
        table.add_row(f"net pnl, {self.currency}", f"{net:+,.2f}", "", end_section=True)
        table.add_row(f"volume, {self.currency}", f"{self.volume:,.2f}", "")
        output.show(table)
        output.line("orders: " + ", ".join(f"{count:,} {what}" for what, count in self.orders.items()))
        output.line(f"market and order events: {self.events:,}; callbacks: {self.callbacks:,}")
        output.result(self.to_json())
