"""FaultInjector: carries a fault plan out. A venue asks it about every message, and does what it answers.

Each fault of the plan draws from a generator of its own and counts for itself, so that what one does never moves
another. What it injects it logs and counts.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Protocol

from mlthon.errors import UsageError
from mlthon.venues.faults.plan import (
    Channel,
    Direction,
    Disconnect,
    Fault,
    FaultPlan,
    FillWhileDisconnected,
    Maintenance,
    MessageFault,
    Messages,
    Outage,
    Restart,
    SkewClock,
)

__all__ = ["FaultInjector", "FaultTarget", "Injected", "Injection"]

log = logging.getLogger("mlthon.venues.faults")

_REMEMBERED = 10_000
_NS_PER_MS = 1_000_000


class FaultTarget(Protocol):
    """A venue as its faults see it: what they can do to it as a whole."""

    def restart(self, *, drop_connections: bool) -> None: ...

    def drop_connections(self, channels: Collection[Channel]) -> None:
        """End the websockets of these channels without a word."""

    def begin_maintenance(self) -> None: ...

    def end_maintenance(self) -> None: ...

    def fill_an_order(self, rng: random.Random) -> bool:
        """Let the market trade with some open order; returns False where none is open."""


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault that came about. `channel` and `kind` are empty for one of the venue as a whole."""

    fault: str
    after_s: float  # since the venue was started
    channel: str = ""
    direction: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Injection:
    """What is to be done to a message, and the generator for what is left to chance in it."""

    fault: Fault
    rng: random.Random


class FaultInjector:
    """One plan, carried out once.

    >>> from mlthon.venues.faults.plan import Drop
    >>> injector = FaultInjector(FaultPlan(faults=[Drop(channel=Channel.Private, kind="order", every=2)]))
    >>> injector.start(None)
    >>> [injector.on_message(Channel.Private, Direction.Out, "order") is not None for _ in range(4)]
    [False, True, False, True]
    >>> injector.counts["drop"]
    2
    """

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan
        self.counts: Counter[str] = Counter()  #: of what was injected, by the fault's name
        self.injected: deque[Injected] = deque(maxlen=_REMEMBERED)  #: the latest, the oldest first
        self.skew_ns = 0
        self._rules = [_Rule(fault, random.Random(f"{plan.seed}/{i}")) for i, fault in enumerate(plan.faults)]
        self._target: FaultTarget | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._unreachable: Counter[Channel] = Counter()
        self._is_on = False
        self._loop_time: Callable[[], float] = lambda: 0.0
        self._began = 0.0

    def start(self, target: FaultTarget | None) -> None:
        """Begin; `at_s` counts from now. Without a target there can be no faults of the venue as a whole."""
        needs_target = any(not isinstance(rule.fault, MessageFault) for rule in self._rules)
        if target is None and needs_target:
            raise UsageError("FaultInjector.start: expected a target for faults of the venue as a whole")
        self._target = target
        self._is_on = True
        if target is None:
            return
        loop = asyncio.get_running_loop()
        self._loop_time, self._began = loop.time, loop.time()
        for rule in self._rules:
            if rule.fault.at_s is not None and not isinstance(rule.fault, MessageFault):
                self._later(rule.fault.at_s, partial(self._strike, rule))

    def stop(self) -> None:
        """Inject nothing more, and end what stands: maintenance, outages, a wrong clock."""
        if not self._is_on:
            return
        self._is_on = False
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._unreachable.clear()
        self.skew_ns = 0
        if self._target is not None:
            self._target.end_maintenance()
        if self.counts:
            told = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
            log.warning("faults injected: %s", told)

    def clock(self, now_ns: Callable[[], int]) -> Callable[[], int]:
        """A clock that is as wrong as the plan wants it at the moment."""
        return lambda: now_ns() + self.skew_ns

    def is_unreachable(self, channel: Channel) -> bool:
        """Whether there is an outage."""
        return self._unreachable[channel] > 0

    def on_message(self, channel: Channel, direction: Direction, kind: str) -> Injection | None:
        """What is to be done to a message: the first fault of the plan that hits it. All of them count it."""
        if not self._is_on:
            return None
        hit: _Rule | None = None
        elapsed_s = self._loop_time() - self._began
        for rule in self._rules:
            if rule.is_triggered_by(channel, direction, kind):
                if isinstance(rule.fault, MessageFault):
                    rule.armed += 1
                else:
                    # Not now: whoever sends this message is in the middle of something.
                    self._later(0.0, partial(self._strike, rule))
            if rule.hits(channel, direction, kind, elapsed_s) and hit is None:
                hit = rule
        if hit is None:
            return None
        self._note(hit, Injected(hit.fault.fault, elapsed_s, channel.value, direction.value, kind))
        return Injection(hit.fault, hit.rng)

    # -- faults of the venue as a whole ------------------------------------------------------------------------

    def _strike(self, rule: _Rule) -> None:
        target, fault = self._target, rule.fault
        assert target is not None
        if rule.is_used_up:
            return
        self._note(rule, Injected(fault.fault, self._loop_time() - self._began))
        if isinstance(fault, Restart):
            target.restart(drop_connections=fault.drop_connections)
        elif isinstance(fault, Disconnect):
            target.drop_connections(fault.channels)
        elif isinstance(fault, Outage):
            self._begin_outage(fault.channels, fault.for_ms)
        elif isinstance(fault, Maintenance):
            target.begin_maintenance()
            self._later(fault.for_ms / 1_000, target.end_maintenance)
        elif isinstance(fault, SkewClock):
            self._skew(fault)
        elif isinstance(fault, FillWhileDisconnected):
            self._begin_outage((Channel.Private,), fault.for_ms)
            self._later(fault.for_ms / 2_000, lambda: self._fill(target, rule.rng))

    def _begin_outage(self, channels: Collection[Channel], for_ms: float) -> None:
        assert self._target is not None
        self._unreachable.update(channels)
        self._target.drop_connections(channels)
        self._later(for_ms / 1_000, lambda: self._unreachable.subtract(channels))

    def _skew(self, fault: SkewClock) -> None:
        by_ns = int(fault.by_ms * _NS_PER_MS)
        self.skew_ns += by_ns
        if fault.for_ms is not None:
            self._later(fault.for_ms / 1_000, lambda: self._step_back(by_ns))

    def _step_back(self, by_ns: int) -> None:
        self.skew_ns -= by_ns

    def _fill(self, target: FaultTarget, rng: random.Random) -> None:
        if target.fill_an_order(rng):
            self.counts["filled while disconnected"] += 1
        else:
            log.info("no order is open that could be filled")

    # -- details -----------------------------------------------------------------------------------------------

    def _note(self, rule: _Rule, injected: Injected) -> None:
        rule.used += 1
        self.counts[injected.fault] += 1
        self.injected.append(injected)
        what = " ".join((injected.channel, injected.direction, injected.kind)).strip()
        log.info("%s: %s", injected.fault, what or "the venue")

    def _later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call later, unless the faults are stopped before."""

        def due() -> None:
            self._timers.discard(timer)
            call()

        timer = asyncio.get_running_loop().call_later(delay_s, due)
        self._timers.add(timer)


class _Rule:
    """One fault of the plan, and how far it has come."""

    def __init__(self, fault: Fault, rng: random.Random) -> None:
        self.fault = fault
        self.rng = rng
        self.used = 0
        self.armed = 0  # triggered by another message, and not used yet
        self._counted = 0
        once = fault.at_s is not None or fault.nth is not None
        self._times = fault.times or (1 if once else None)

    @property
    def is_used_up(self) -> bool:
        return self._times is not None and self.used >= self._times

    def is_triggered_by(self, channel: Channel, direction: Direction, kind: str) -> bool:
        """Count a message that `after` describes; returns whether it sets the fault off."""
        after = self.fault.after
        if after is None or not _fits(after, channel, direction, kind):
            return False
        return self._counts() and not self.is_used_up

    def hits(self, channel: Channel, direction: Direction, kind: str, elapsed_s: float) -> bool:
        """Count a message of the fault's own kind; returns whether it is hit."""
        fault = self.fault
        if not isinstance(fault, MessageFault) or not _fits(fault, channel, direction, kind):
            return False
        if fault.at_s is not None:
            return elapsed_s >= fault.at_s and not self.is_used_up
        if fault.after is None:
            return self._counts() and not self.is_used_up
        if self.armed == 0:
            return False
        self.armed -= 1
        return not self.is_used_up

    def _counts(self) -> bool:
        """Whether the next counted message is one of those that are meant."""
        fault = self.fault
        self._counted += 1
        if fault.nth is not None:
            return self._counted == fault.nth
        if fault.every is not None:
            return self._counted % fault.every == 0
        return fault.probability is None or self.rng.random() < fault.probability


def _fits(wanted: Messages | MessageFault, channel: Channel, direction: Direction, kind: str) -> bool:
    return (
        wanted.channel in (None, channel) and wanted.direction is direction and fnmatchcase(kind, wanted.kind)
    )
