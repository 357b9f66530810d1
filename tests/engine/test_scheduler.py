"""Timers and daily callbacks."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mlthon.engine.clock import ManualClock
from mlthon.engine.scheduler import Scheduler


@pytest.fixture
def clock():
    return ManualClock(int(datetime(2026, 3, 28, 12, 0, 0, tzinfo=UTC).timestamp()) * 1_000_000_000)


def make(clock, **options):
    return Scheduler(clock.now_ns, lambda _what, callback: callback(), **options)


def advance(clock, scheduler, ms):
    clock.advance(ms * 1_000_000)
    scheduler.fire_due()


@pytest.mark.parametrize("result", [None, 1, "yes", [True], False])
def test_only_true_renews(clock, result):
    scheduler, fired = make(clock), []
    scheduler.start()
    scheduler.every(10, lambda: fired.append(1) or result)
    for _ in range(5):
        advance(clock, scheduler, 10)
    assert len(fired) == 1


def test_a_timer_that_fell_behind_fires_once_and_keeps_its_phase(clock):
    scheduler, fired = make(clock), []
    start = clock.now_ns()
    scheduler.start()
    scheduler.every(10, lambda: fired.append((clock.now_ns() - start) // 1_000_000) or True)
    advance(clock, scheduler, 35)
    assert fired == [35]
    advance(clock, scheduler, 5)
    assert fired == [35, 40]


def test_timers_of_a_stopped_strategy_do_not_fire(clock):
    scheduler, fired = make(clock), []
    scheduler.every(10, lambda: fired.append("connected") or True)
    scheduler.start()
    scheduler.every(10, lambda: fired.append("run 1") or True)
    advance(clock, scheduler, 10)
    assert fired == ["connected", "run 1"]
    scheduler.stop()
    advance(clock, scheduler, 100)
    assert fired == ["connected", "run 1"]
    scheduler.start()
    scheduler.every(10, lambda: fired.append("run 2") or True)
    advance(clock, scheduler, 10)
    assert fired[2:] == ["connected", "run 2"]


def test_a_quick_restart_does_not_revive_timers_of_the_run_before(clock):
    scheduler, fired = make(clock), []
    scheduler.start()
    scheduler.every(10, lambda: fired.append(1) or True)
    scheduler.stop()
    scheduler.start()
    advance(clock, scheduler, 50)
    assert fired == []


def test_daily_callbacks_keep_the_wall_time_over_a_clock_change(clock):
    zone = ZoneInfo("Europe/Berlin")  # summer time starts on 2026-03-29 at 02:00
    scheduler, fired = make(clock, time_zone=zone), []
    scheduler.start()
    scheduler.daily(
        "09:00:00", lambda: fired.append(datetime.fromtimestamp(clock.now_ns() / 1e9, zone)) or True
    )
    while len(fired) < 2:
        clock.advance(scheduler.next_due_ns() - clock.now_ns())
        scheduler.fire_due()
    assert [f"{at:%d %H:%M}" for at in fired] == ["29 09:00", "30 09:00"]


@pytest.mark.parametrize("text", ["24:00:00", "9:00:00", "09:00", "09:60:00", "", "09:00:00 ", 9, None])
def test_bad_times_of_day_are_refused(clock, text):
    with pytest.raises(ValueError, match="HH:mm:ss"):
        make(clock).daily(text, print)


@pytest.mark.parametrize(
    ("duration", "callback", "error"),
    [
        (0, print, ValueError),
        (-1, print, ValueError),
        (1.5, print, TypeError),
        (True, print, TypeError),
        (1, 5, TypeError),
    ],
)
def test_bad_timers_are_refused(clock, duration, callback, error):
    with pytest.raises(error):
        make(clock).every(duration, callback)
