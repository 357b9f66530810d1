"""Tasks that run beside their owner and end with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

__all__ = ["Background"]


class Background:
    """The background tasks of one owner: kept alive, cancelled together, never failing in silence."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(
        self,
        work: Coroutine[Any, Any, None],
        name: str,
        *,
        on_cancelled: Callable[[], None] = lambda: None,
    ) -> asyncio.Task[None]:
        """Start a task; what it raises, cancellation aside, goes to the loop's exception handler.

        `on_cancelled` is called when it is cancelled, be it before its first step, of which the task itself would
        not know.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, on_cancelled))
        return task

    async def close(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _done(self, on_cancelled: Callable[[], None], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            on_cancelled()
            return
        error = task.exception()
        if error is not None:
            context = {"message": f"{task.get_name()} failed", "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)
