"""Work that outlives the request it belongs to: what `onCancel` of a `try` step runs.

A request whose caller has gone away is cancelled at every `await`, so that what is still to be
done for it runs in a task of its own. Each capability has one Aftermath, and closing waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    import logging

MAX_TASKS = 100
"""More of them at a time are not begun: callers who come and go must not pile up work."""
MAX_SECONDS = 15.0
"""How long one of them may take."""


def _logger() -> logging.Logger:
    import logging  # 4 ms that a start without a server does not need

    return logging.getLogger("naftiko.steps")


class Aftermath:
    """Keeps the tasks of one capability until they are done. It makes none before `start`."""

    __slots__ = ("_tasks", "max_seconds", "max_tasks")

    def __init__(self, *, max_tasks: int = MAX_TASKS, max_seconds: float = MAX_SECONDS) -> None:
        """Start with nothing to do."""
        self.max_tasks = max_tasks
        self.max_seconds = max_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """How many tasks run."""
        return len(self._tasks)

    def start(self, work: Callable[[], Coroutine[object, object, None]], name: str) -> bool:
        """Run the work in a task of its own on the running loop; False where too many run already.

        Nothing is awaited, so that a cancelled request may call it. The work sees no context
        variables of the request.
        """
        import asyncio
        from contextvars import Context

        if len(self._tasks) >= self.max_tasks:
            _logger().warning("%s is not run: %d others run already", name, len(self._tasks))
            return False
        task = asyncio.get_running_loop().create_task(
            self._run(work, name), name=f"naftiko: {name}", context=Context()
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _run(self, work: Callable[[], Coroutine[object, object, None]], name: str) -> None:
        import asyncio

        try:
            async with asyncio.timeout(self.max_seconds):
                await work()
        except TimeoutError:
            _logger().warning("%s took more than %g s and was given up", name, self.max_seconds)
        except Exception as error:  # noqa: BLE001  # nobody else would hear of it
            _logger().exception("%s ended with %s", name, type(error).__name__)

    async def finish(self, seconds: float = MAX_SECONDS) -> None:
        """Wait for what runs on this loop; what takes longer is cancelled."""
        import asyncio

        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while own := {task for task in self._tasks if task.get_loop() is loop}:
            left = ends - loop.time()
            if left <= 0:
                _logger().warning("%d tasks of cancelled requests are given up", len(own))
                for task in own:
                    task.cancel()
                await asyncio.gather(*own, return_exceptions=True)
                return
            await asyncio.wait(own, timeout=left)
