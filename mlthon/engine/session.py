"""The life of one strategy: connected, logged in, started, stopped, and so on until the engine goes.

    CREATED -> CONNECTED -> RUNNING <-> STOPPING -> STOPPED -> RUNNING ...        any -> CLOSED

`on_framework_connected` (login inside), `on_start`, `on_instruments` (once, and again when they change),
`on_strat_params_update`, gateway and feed status; `on_stop`, the ack, and from then on no request until the
next `on_start`.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Mapping

from mlthon._core.dispatch import Dispatcher
from mlthon._core.order_entry import SendPermit
from mlthon.engine.scheduler import Scheduler
from mlthon.errors import NotLoggedInError, StrategyError, UsageError

__all__ = ["Session", "SessionState"]

log = logging.getLogger("mlthon.engine")

STOP_ACK_DEADLINE_MS = 5_000


class SessionState(enum.Enum):
    """Where a strategy is in its life."""

    CREATED = "created"
    CONNECTED = "connected"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    CLOSED = "closed"


class Session(SendPermit):
    """Walks a strategy through its life and refuses what is out of turn: ``may_send`` tells whether requests pass.

    ``announce`` tells the strategy, once it has its parameters, the state of gateways and feeds, and opens what it
    has asked for. ``instruments`` returns what on_instruments delivers.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        scheduler: Scheduler,
        *,
        instruments: Callable[[], list[object]],
        announce: Callable[[], None],
        params: Mapping[str, object],
    ) -> None:
        self._dispatcher = dispatcher
        self._scheduler = scheduler
        self._instruments = instruments
        self._announce = announce
        self._params = dict(params)
        self._instruments_told = False
        self._stop_deadline: int | None = None
        self.state = SessionState.CREATED
        self.strategy_name = ""
        self.on_change: Callable[[], None] = lambda: None

    @property
    def is_stopped(self) -> bool:
        """Whether the strategy has acknowledged a stop, and no request passes until it is started again."""
        return self.state in (SessionState.STOPPED, SessionState.CLOSED)

    # -- from outside ------------------------------------------------------------------------------------------

    def connect(self, env: object) -> None:
        """Hand the strategy its environment; raises NotLoggedInError when it does not log in."""
        self._enter(SessionState.CONNECTED)
        self._dispatcher.call("on_framework_connected", env)
        self.raise_failure()
        if not self.strategy_name:
            raise NotLoggedInError(
                f"{type(self._dispatcher.strategy).__name__}.on_framework_connected returned without calling "
                "env.login(name): a strategy has to log in there before it can be started"
            )

    def start(self, params: str = "") -> None:
        """Start, or start again after a stop; raises UsageError at any other time."""
        if self.state not in (SessionState.CONNECTED, SessionState.STOPPED):
            raise UsageError(f"start: the strategy is {self.state.value}")
        self._enter(SessionState.RUNNING)
        self._scheduler.start()
        self._dispatcher.call("on_start", params)
        if not self._instruments_told:
            self._instruments_told = True
            self._dispatcher.call("on_instruments", self._instruments())
        self._dispatcher.call("on_strat_params_update", dict(self._params))
        if self._dispatcher.failure is None:
            self._announce()

    def tell_instruments(self) -> None:
        """Tell all instruments anew, because some have changed: now, or at the next start."""
        if self.may_send:
            self._dispatcher.call("on_instruments", self._instruments())
        else:
            self._instruments_told = False

    def update_params(self, changes: Mapping[str, object]) -> None:
        """Change parameters, and tell a running strategy all of them."""
        self._params.update(changes)
        if self.may_send:
            self._dispatcher.call("on_strat_params_update", dict(self._params))

    def stop(self, params: str = "") -> None:
        """Ask the strategy to stop; it is stopped once it acknowledges, or when the deadline passes."""
        if self.state is not SessionState.RUNNING:
            raise UsageError(f"stop: the strategy is {self.state.value}")
        self._enter(SessionState.STOPPING)
        self._stop_deadline = self._scheduler.once(
            STOP_ACK_DEADLINE_MS, "stop ack", self._stop_unacknowledged
        )
        self._dispatcher.call("on_stop", params)
        if not self._dispatcher.defines("on_stop"):
            self._stopped()

    def close(self) -> None:
        """End for good: the strategy is told that the framework is gone, whatever the cause."""
        if self.state is SessionState.CLOSED:
            return
        was_connected = self.state is not SessionState.CREATED
        self._scheduler.stop()
        self._enter(SessionState.CLOSED)
        self._dispatcher.close("on_framework_disconnected" if was_connected else None)

    def raise_failure(self) -> None:
        """Raise StrategyError if the strategy's code has raised, with its exception as the cause."""
        failure = self._dispatcher.failure
        if failure is not None:
            raise StrategyError(
                f"{type(self._dispatcher.strategy).__name__} raised {type(failure).__name__} in "
                f"{self._dispatcher.failed_in}: {failure}"
            ) from failure

    # -- from the strategy -------------------------------------------------------------------------------------

    def login(self, name: str) -> None:
        """Register the strategy's name; raises TypeError, ValueError for an empty one, UsageError for a second."""
        if not isinstance(name, str):
            raise TypeError(f"strat_name: expected a str, got {name!r}")
        if not name.strip():
            raise ValueError("strat_name: expected a name, got an empty one")
        if self.strategy_name:
            raise UsageError(f"login: already logged in as {self.strategy_name!r}")
        self.strategy_name = name

    def acknowledge_stop(self) -> None:
        """Take the strategy's stop ack."""
        if self.state is SessionState.STOPPING:
            self._stopped()
        else:
            log.warning("send_stop_ack ignored: the strategy is %s", self.state.value)

    # -- details -----------------------------------------------------------------------------------------------

    def _stopped(self) -> None:
        if self._stop_deadline is not None:
            self._scheduler.cancel(self._stop_deadline)
            self._stop_deadline = None
        self._scheduler.stop()
        self._enter(SessionState.STOPPED)

    def _stop_unacknowledged(self) -> None:
        log.error("no send_stop_ack within %d ms of on_stop: stopped without it", STOP_ACK_DEADLINE_MS)
        self._stopped()

    def _enter(self, state: SessionState) -> None:
        self.state = state
        self.may_send = state in (SessionState.RUNNING, SessionState.STOPPING)
        self.on_change()
