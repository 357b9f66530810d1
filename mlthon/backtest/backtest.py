"""`Backtest`: one strategy over recorded or made-up markets, in simulated time."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from mlthon._core.replay import Replay
from mlthon._core.sim_clock import SimClock
from mlthon.backtest.connector import BacktestConnector
from mlthon.backtest.latency import Latency
from mlthon.backtest.markets import (
    MarketSource,
    Recording,
    open_market,
    refuse_overlaps,
    refuse_strangers,
    refuse_strays,
    unique,
)
from mlthon.backtest.request_limits import RequestRates
from mlthon.backtest.result import Result, RunFacts
from mlthon.backtest.trace import Trace
from mlthon.basics.defs import Exchange
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.instrument_table import InstrumentTable
from mlthon.engine.order_desk import DeskOrder
from mlthon.engine.ports import Journal
from mlthon.engine.session import SessionState
from mlthon.engine.slow_callbacks import DEFAULT_BUDGET_MS
from mlthon.engine.strat_env import StratEnv
from mlthon.engine.wire_ids import WireIds
from mlthon.engine.withdrawal import withdraw
from mlthon.errors import ConfigError, LedgerMismatch, OrdersLeftOpen, UsageError
from mlthon.instruments.spot import Spot
from mlthon.sim.deposits import deposits_for
from mlthon.sim.exchange import SimExchange
from mlthon.sim.funding import FundingRules
from mlthon.sim.orders import Fees, Limits, QueueRule
from mlthon.sim.terms import symbol_of

__all__ = ["Backtest", "ExchangeSettings", "MarketSource", "Settings"]

_NS_PER_S = 1_000_000_000
_LONGEST_S = 1_000_000_000  # more than 31 years
_HOUSE_PERIOD_NS = _NS_PER_S  # how often exchanges look at their marks, and pay funding that is due
_GIVE_UP_NS = 5 * _NS_PER_S  # without one order ending
_ACCOUNT = "backtest"
_NOTHING = MLDecimal("0")


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """What is otherwise at one of several exchanges; None: as `Settings` say for all."""

    latency: Latency | None = None
    rates: RequestRates | None = None
    fees: Fees | None = None
    limits: Limits | None = None
    funding: FundingRules | None = None
    deposits: Mapping[str, Qty | MLDecimal] | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How honest a backtest is, and about what; the defaults leave nothing out (docs/fills.md).

    They hold for each exchange that is traded at, but for what `exchanges` says of one.
    """

    latency: Latency | None = None  #: None: 5 ms each way
    queue_rule: QueueRule = QueueRule.Behind  #: who cancelled, where a recording does not tell
    rates: RequestRates | None = None  #: None: Bybit's
    fees: Fees | None = None
    limits: Limits | None = None
    funding: FundingRules | None = None
    deposits: Mapping[str, Qty | MLDecimal] | None = (
        None  #: None: a million of each quote coin, 100 of base coins
    )
    time_zone: tzinfo = UTC  #: of daily callbacks
    duration_s: float | None = None  #: None: to the end of the tapes
    exchanges: Mapping[Exchange, ExchangeSettings] = field(default_factory=dict)

    def at(self, exchange: Exchange) -> ExchangeSettings:
        """What holds at one exchange."""
        own = self.exchanges.get(exchange, ExchangeSettings())
        return ExchangeSettings(
            latency=own.latency or self.latency,
            rates=own.rates or self.rates,
            fees=own.fees or self.fees,
            limits=own.limits or self.limits,
            funding=own.funding or self.funding,
            deposits=self.deposits if own.deposits is None else own.deposits,
        )

    def __post_init__(self) -> None:
        if self.duration_s is not None and not 0 < self.duration_s <= _LONGEST_S:
            raise ConfigError(
                f"duration: expected more than 0 and at most {_LONGEST_S} s, got {self.duration_s:g}"
            )


class Backtest:
    """One run of a strategy: make it, `run` it, read what came of it.

    ``tapes`` are paths of recordings, or markets such as `SyntheticMarket` (which needs a duration: it never ends);
    any number of them, of one or of several instruments, are merged by time. ``strategy`` is an object with
    callbacks, the one that runs live.

    Tapes of one instrument follow or complete each other. Those of one symbol from two venues do not: that is a
    ConfigError, until one is opened at an exchange of its own, ``open_tape(path, exchange=Exchange.Binance)``. Each
    exchange then has its own books, account and connection, and its delays and fees where `Settings.exchanges` says.

    >>> from mlthon.backtest.backtest import Backtest, Settings
    >>> from mlthon.sim.synthetic import SyntheticMarket
    >>> from mlthon.strats.demo_strat import DemoStrat
    >>> backtest = Backtest([SyntheticMarket(1)], DemoStrat({}), settings=Settings(duration_s=5))
    >>> result = backtest.run()
    >>> result.facts.messages > 100
    True
    """

    def __init__(
        self,
        tapes: Sequence[str | Path | MarketSource],
        strategy: object,
        *,
        params: Mapping[str, object] | None = None,
        settings: Settings | None = None,
        journal: Journal | None = None,
        slow_callback_ms: float = DEFAULT_BUDGET_MS,
    ) -> None:
        if isinstance(tapes, str | Path) or not tapes:
            raise ConfigError(f"backtest: expected a list of at least one tape, got {tapes!r}")
        self._strategy = strategy
        self._params = params
        self._settings = settings or Settings()
        self._journal = journal
        self._slow_callback_ms = slow_callback_ms
        self._latency = self._settings.latency or Latency()
        self.clock = SimClock()
        self.replay = Replay(self.clock)
        self._sources = [open_market(tape) for tape in tapes]
        refuse_strangers(self._sources)
        self.instruments = unique(self._sources)
        refuse_strays(self._settings.exchanges, self.instruments)
        refuse_overlaps([source for source in self._sources if isinstance(source, Recording)])
        self.trace = Trace(self.instruments, self._mid, self.clock.now_ns, mark_of=self._mark)
        self.connectors = [
            self._connector(exchange)
            for exchange in dict.fromkeys(i.get_exchange() for i in self.instruments)
        ]
        self._engines = {
            instrument.get_instrument_id(): connector.sim.engine(symbol)
            for connector in self.connectors
            for symbol, instrument in connector.sim.instruments.items()
        }
        self._capital: dict[str, MLDecimal] = {}  # at all exchanges together
        for connector in self.connectors:
            for coin, amount in connector.account.purse.cash.items():
                self._capital[coin] = self._capital.get(coin, _NOTHING) + amount
        self._env: StratEnv | None = None
        self._started_ns = 0

    # -- what came of it ---------------------------------------------------------------------------------------

    @property
    def env(self) -> StratEnv:
        """The strategy's environment; there once `run` has begun."""
        if self._env is None:
            raise UsageError("Backtest: expected run() before its environment is asked for")
        return self._env

    def result(self, *, load_s: float = 0.0, run_s: float = 0.0) -> Result:
        """Work out what came of the run; the two durations are for the record, if somebody took them."""
        env, replay = self.env, self.replay
        desks, feeds = env.desks.values(), env.feeds.values()
        facts = RunFacts(
            strategy=type(self._strategy).__name__,
            params=dict(self._params or {}),
            capital=self._capital,
            events=sum(feed.events for feed in feeds) + sum(desk.events for desk in desks),
            callbacks=env.dispatcher.callback_total,
            levels=replay.levels,
            messages=replay.messages,
            trades=replay.trades,
            load_s=load_s,
            run_s=run_s,
            failure=_in_words(env.dispatcher.failure),
            venue=self._booked(),
        )
        return Result.of(self.trace, facts)

    @property
    def left_open(self) -> list[DeskOrder]:
        """Orders that are not known to have ended: none, after an orderly run."""
        return [order for desk in self.env.desks.values() for order in desk.open_orders()]

    # -- the run -----------------------------------------------------------------------------------------------

    def run(self) -> Result:
        """Play the tapes to their end, or for the duration, stop the strategy, and say what came of it.

        Raises StrategyError when the strategy raised, OrdersLeftOpen when its orders could not all be cancelled,
        and what is wrong with a tape.
        """
        if self._env is not None:
            raise UsageError("Backtest: it has been run already; make another one")
        self.load()
        try:
            self.play()
        finally:
            self.close()
        return self.result()

    def load(self) -> None:
        """Open the tapes, show the first of their markets, and start the strategy in it."""
        self._add_tapes()
        replay = self.replay
        replay.play_first()
        replay.every(_HOUSE_PERIOD_NS, self._pass_time)
        self._started_ns = self.clock.now_ns()
        self._env = env = StratEnv(
            self._strategy,
            {connector.exchange: connector for connector in self.connectors},
            InstrumentTable(self.instruments),
            self.clock,
            wire_ids=WireIds("backtest"),
            wake=replay.wake,
            params=self._params,
            defaults=self.instruments,
            journal=self._journal,
            order_record=self.trace,
            time_zone=self._settings.time_zone,
            slow_callback_ms=self._slow_callback_ms,
        )
        replay.attach(env.scheduler, env.dispatcher)
        replay.set_sampler(self.trace)
        for connector in self.connectors:
            finish(connector.gateway.connect())
            finish(connector.feed.connect())

    def play(self) -> None:
        """Start the strategy, and play."""
        session, duration_s = self.env.session, self._settings.duration_s
        session.connect(self.env)
        session.start()
        session.raise_failure()
        if duration_s is None:
            self.replay.play()
        else:
            self.replay.play(self._started_ns + round(duration_s * _NS_PER_S))

    def close(self) -> None:
        """Stop the strategy, cancel what it left open, and tell it that all is over; raises what went wrong."""
        env = self.env
        self._stop(env)
        self._withdraw(env)
        self.trace.end(self.clock.now_ns())
        env.session.close()
        for connector in self.connectors:
            finish(connector.close())
        env.session.raise_failure()
        if self.left_open:
            names = ", ".join(f"{order.client_id} ({order.wire_id})" for order in self.left_open)
            raise OrdersLeftOpen(f"{len(self.left_open)} orders may still be open at the venue: {names}")

    def check_ledgers(self) -> None:
        """Raise LedgerMismatch, naming every figure on which the strategy's books and an exchange's disagree."""
        portfolio = self.env.portfolio
        booked = sum(connector.sim.fill_count(connector.account) for connector in self.connectors)
        taken_over = self.trace.liquidated()
        pairs: list[tuple[str, object, object]] = [
            ("fills", portfolio.fills + sum(taken_over.values()), booked)
        ]
        for connector in self.connectors:
            connector.sim.check_conservation()
            for symbol, instrument in connector.sim.instruments.items():
                if isinstance(instrument, Spot) or instrument.get_instrument_id() in taken_over:
                    continue  # a fee in coins is a sale to one, a takeover nobody's order: they count differently
                own, there = portfolio.position(instrument), connector.account.purse.position(symbol)
                name = instrument.get_instrument_name()
                pairs.append((f"position in {name}", own.size, there.size))
                pairs.append((f"realised pnl of {name}", own.realised, there.realised))
                pairs.append((f"fees of {name}", own.fees, there.fees))
        wrong = [f"{what} {own} here, {there} there" for what, own, there in pairs if own != there]
        if wrong:
            raise LedgerMismatch(f"the strategy's books and the exchange's disagree: {'; '.join(wrong)}")

    # -- details -----------------------------------------------------------------------------------------------

    def _mid(self, instrument_id: int) -> Price | None:
        return self._engines[instrument_id].market_mid()

    def _mark(self, instrument_id: int) -> Price | None:
        return self._engines[instrument_id].told_mark_price()

    def _booked(self) -> dict[str, float]:
        """What the exchanges have booked; of positions, their sum where there is only one."""
        fills = sum(connector.sim.fill_count(connector.account) for connector in self.connectors)
        booked: dict[str, float] = {"fills": fills}
        if len(self.instruments) == 1:
            [connector] = self.connectors
            size = connector.account.purse.size(symbol_of(self.instruments[0]))
            booked["position"] = size.to_float()
        markets = [market for connector in self.connectors for market in connector.markets.values()]
        booked["crossed_books"] = sum(market.crossed_updates for market in markets)
        if any(market.orders is not None for market in markets):
            booked["ghost_orders"] = sum(
                market.orders.ghosts for market in markets if market.orders is not None
            )
        return booked

    def _connector(self, name: Exchange) -> BacktestConnector:
        instruments = [i for i in self.instruments if i.get_exchange() is name]
        settings = self._settings.at(name)
        exchange = SimExchange(
            instruments,
            self.clock.now_ns,
            fees=settings.fees,
            limits=settings.limits,
            funding=settings.funding,
            queue_rule=self._settings.queue_rule,
        )
        account = exchange.add_account(_ACCOUNT, settings.deposits or deposits_for(instruments))
        return BacktestConnector(
            name,
            exchange,
            account,
            self.replay,
            settings.latency or self._latency,
            self.trace,
            settings.rates or RequestRates(),
        )

    def _add_tapes(self) -> None:
        connectors = {connector.exchange: connector for connector in self.connectors}
        for source in self._sources:
            market = connectors[source.instrument.get_exchange()].markets[symbol_of(source.instrument)]
            if isinstance(source, Recording):
                if source.counts.order_changes:
                    market.follow_orders()
                self.replay.add_tape(source.cursor(), market)
            else:
                self.replay.add_tape(source, market)

    def _pass_time(self) -> None:
        for connector in self.connectors:
            connector.sim.pass_time()

    def _stop(self, env: StratEnv) -> None:
        """Ask the strategy to stop, and wait for its ack; one that has failed is not asked."""
        session, dispatcher = env.session, env.dispatcher
        if session.state is SessionState.RUNNING and dispatcher.failure is None:
            session.stop()
        self.replay.play_quietly(
            self.clock.now_ns() + _LONGEST_NS,
            lambda: session.state is not SessionState.STOPPING or dispatcher.failure is not None,
        )

    def _withdraw(self, env: StratEnv) -> None:
        """Cancel what is open, at the pace of a live run."""
        desks = list(env.desks.values())
        left = len(self.left_open)
        progress_ns = self.clock.now_ns()
        while left and self.clock.now_ns() - progress_ns <= _GIVE_UP_NS:
            withdraw(desks)
            self.replay.play_quietly(self.clock.now_ns() + _NS_PER_S, lambda: not self.left_open)
            if len(self.left_open) < left:
                left, progress_ns = len(self.left_open), self.clock.now_ns()


_LONGEST_NS = 60 * _NS_PER_S  # the session's own deadline for an ack is shorter


def _in_words(failure: BaseException | None) -> str:
    """What ended a run, on one line; nothing where nothing did."""
    return "" if failure is None else " ".join(f"{type(failure).__name__}: {failure}".split())


def finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine of a connector that never has to wait."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("a connector of a backtest has nothing to wait for")
