"""What the options of ``python -m mlthon.run backtest`` mean: markets, and settings for each exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlthon.backtest.backtest import ExchangeSettings, MarketSource, Settings
from mlthon.backtest.latency import Latency, NormalDelay, delay_ns, read_latencies
from mlthon.basics.defs import Exchange
from mlthon.basics.mldecimal import MLDecimal
from mlthon.errors import ConfigError
from mlthon.run.option_values import by_exchange, tape_and_exchange
from mlthon.sim.funding import FundingRules
from mlthon.sim.orders import Fees, QueueRule
from mlthon.sim.synthetic import SyntheticMarket

__all__ = ["Amounts", "Delays", "markets_of", "settings_of"]

_USUAL_MS = 5.0
_WAYS = ("--feed-latency", "--order-latency", "--response-latency")


def markets_of(tapes: Sequence[Path], seed: int) -> list[Path | MarketSource]:
    """The recordings that are named, each at its exchange; without any the synthetic market of a seed."""
    if not tapes:
        return [SyntheticMarket(seed)]
    markets: list[Path | MarketSource] = []
    for path, exchange in (tape_and_exchange(str(tape)) for tape in tapes):
        if exchange is None:
            markets.append(path)
        else:
            from mlthon.tape.opening import open_tape  # noqa: PLC0415  (it needs pyarrow)

            markets.append(open_tape(path, exchange=exchange))
    return markets


@dataclass(frozen=True, slots=True)
class Delays:
    """How long messages take: ``MS`` and ``EXCHANGE=MS`` for each way, or a file of what was measured."""

    feed: Sequence[str]
    order: Sequence[str]
    response: Sequence[str]
    deviation_ms: float
    seed: int
    measured: Path | None

    def read(self) -> tuple[Latency, dict[Exchange, Latency]]:
        """The latency that holds for all, and those of single exchanges; raises ConfigError."""
        if self.measured is not None:
            return read_latencies(self.measured), {}
        given = [
            by_exchange(way, texts)
            for way, texts in zip(_WAYS, (self.feed, self.order, self.response), strict=True)
        ]
        general = [_ms(way, text) for way, (text, _) in zip(_WAYS, given, strict=True)]
        own = {
            exchange: self._latency(
                [
                    _ms(way, texts[exchange]) if exchange in texts else usual
                    for way, (_, texts), usual in zip(_WAYS, given, general, strict=True)
                ],
                exchange.value,
            )
            for exchange in sorted({e for _, texts in given for e in texts}, key=lambda e: e.value)
        }
        return self._latency(general, 0), own

    def _latency(self, means_ms: Sequence[float], number: int) -> Latency:
        if not self.deviation_ms:
            return Latency.constant_ms(*means_ms)
        deviation_ns = delay_ns(self.deviation_ms)
        first = (self.seed + number * _SEEDS) * 3
        return Latency(
            *(
                NormalDelay(delay_ns(mean_ms), deviation_ns, seed=first + way)
                for way, mean_ms in enumerate(means_ms)
            )
        )


_SEEDS = 10**9  # apart, so that exchanges draw different delays


@dataclass(frozen=True, slots=True)
class Amounts:
    """What is charged and what there is: rates, as ``RATE`` and ``EXCHANGE=RATE`` for fees, and deposits."""

    maker: Sequence[str]
    taker: Sequence[str]
    funding_rate: str | None
    deposits: Sequence[str]

    def fees(self) -> tuple[Fees, dict[Exchange, Fees]]:
        """The fees that hold for all, and those of single exchanges; raises ConfigError."""
        (maker, makers), (taker, takers) = (
            by_exchange("--maker-fee", self.maker),
            by_exchange("--taker-fee", self.taker),
        )
        own = {
            exchange: _fees(makers.get(exchange, maker), takers.get(exchange, taker))
            for exchange in dict.fromkeys((*makers, *takers))
        }
        return _fees(maker, taker), own


def settings_of(
    delays: Delays, amounts: Amounts, *, queue_rule: str, time_zone: str, duration_s: float | None
) -> Settings:
    """What the options make of a run's settings; raises ConfigError, naming the option."""
    latency, latencies = delays.read()
    fees, all_fees = amounts.fees()
    rate = amounts.funding_rate
    return Settings(
        latency=latency,
        queue_rule=QueueRule[queue_rule.capitalize()],
        fees=fees,
        funding=FundingRules(rate=None if rate is None else _decimal("--funding-rate", rate)),
        deposits=_deposits(amounts.deposits),
        time_zone=_zone(time_zone),
        duration_s=duration_s,
        exchanges={
            exchange: ExchangeSettings(latency=latencies.get(exchange), fees=all_fees.get(exchange))
            for exchange in dict.fromkeys((*latencies, *all_fees))
        },
    )


# -- single values ---------------------------------------------------------------------------------------------


def _ms(option: str, text: str | None) -> float:
    if text is None:
        return _USUAL_MS
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{option}: expected milliseconds, got {text!r}") from None


def _fees(maker: str | None, taker: str | None) -> Fees:
    rates = {
        **({} if maker is None else dict.fromkeys(("maker", "spot_maker"), _decimal("--maker-fee", maker))),
        **({} if taker is None else dict.fromkeys(("taker", "spot_taker"), _decimal("--taker-fee", taker))),
    }
    return Fees(**rates)


def _decimal(option: str, text: str) -> MLDecimal:
    try:
        return MLDecimal(text)
    except (ValueError, OverflowError):
        raise ConfigError(f"{option}: expected a decimal number, got {text!r}") from None


def _deposits(pairs: Sequence[str]) -> dict[str, MLDecimal] | None:
    """What the account starts with; None: what is usual."""
    deposits: dict[str, MLDecimal] = {}
    for pair in pairs:
        coin, equals, amount = pair.partition("=")
        if not equals or not coin:
            raise ConfigError(f"--deposit: expected COIN=AMOUNT, got {pair!r}")
        deposits[coin] = _decimal(f"--deposit {coin}", amount)
    return deposits or None


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"--time-zone: expected a name such as Europe/Berlin, got {name!r}") from None
