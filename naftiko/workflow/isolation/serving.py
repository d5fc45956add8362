"""The parent's side of one conversation: does what the worker asks for, if its plan does it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

from naftiko.values import JsonObject
from naftiko.workflow.isolation import frames
from naftiko.workflow.isolation.guard import Guard, Refused
from naftiko.workflow.isolation.witness import Witness
from naftiko.workflow.ports import AwsFailure, AwsRequest
from naftiko.workflow.vm.environment import Environment
from naftiko.workflow.vm.retry import BREAKING, class_of

Doing: TypeAlias = "Coroutine[Any, Any, JsonObject]"  # what coroutines yield is the loop's affair

MAX_TOGETHER = 64
"""A loop has ten items under way, each with a call or a wait, and each wait somebody to stop it."""

MAX_SLEEP_S = 24 * 3600.0


class Serving:
    """One worker's requests. `broken` fails when one could not be answered."""

    def __init__(
        self,
        to_worker: asyncio.StreamWriter,
        guard: Guard,
        env: Environment,
        plan: JsonObject,
        witness: Witness,
    ) -> None:
        """Answer on `to_worker` with what `env` gives."""
        self._witness = witness
        self._to_worker = to_worker
        self._guard = guard
        self._env = env
        self._checksum = str(plan.get("checksum", ""))
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self.failure: BaseException | None = None
        """What the journal raised: the execution goes on elsewhere, or not at all."""
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle_since = asyncio.get_running_loop().time()

    def idle_s(self) -> float:
        """Return for how long the worker has owed a message: nothing is being done for it."""
        if self._tasks:
            return 0.0
        return asyncio.get_running_loop().time() - self._idle_since

    async def send(self, message: JsonObject) -> None:
        """Send a message.

        Raises: ConnectionError: the worker is gone; FrameError.
        """
        self._to_worker.write(frames.encode(message))
        await self._to_worker.drain()

    async def take(self, message: JsonObject) -> None:
        """Begin to do what a message asks for.

        Raises: Refused, FrameError.
        """
        self._idle_since = asyncio.get_running_loop().time()
        match message:
            case {"t": "event", "event": event}:
                told = self._witness.event(frames.read_event(event))
                if told is not None:
                    self._env.on_event(told)
            case {"t": "drop", "id": int(number)}:
                task = self._tasks.pop(number, None)
                if task is not None:
                    task.cancel()
            case {"t": "call", "id": int(number), "request": given}:
                request = frames.read_request(given)
                self._guard.check(request)
                self._begin(number, self._call(request))
            case {"t": "append", "id": int(number), "record": dict(record)}:
                self._begin(number, self._append(self._witness.record(record)))
            case {"t": "sleep", "id": int(number), "seconds": (int() | float()) as seconds}:
                if not seconds <= MAX_SLEEP_S:
                    raise Refused("it wants to wait too long")
                self._begin(number, self._sleep(seconds))
            case _:
                raise frames.FrameError("a message has not the form of one")

    async def pass_cancel_on(self) -> None:
        """Tell the worker once the execution is cancelled."""
        await self._env.cancelled.wait()
        with suppress(ConnectionError):
            await self.send({"t": "cancel"})

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = [*self._tasks.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.broken.cancel()

    def _begin(self, number: int, doing: Doing) -> None:
        if number in self._tasks or len(self._tasks) >= MAX_TOGETHER:
            doing.close()
            raise Refused("it asks for too much at once")
        self._tasks[number] = asyncio.create_task(self._answer(number, doing))

    async def _answer(self, number: int, doing: Doing) -> None:
        try:
            found = await doing
            revoked = self._env.revoked(self._checksum)
            reply: JsonObject = {"t": "reply", "id": number, "revoked": revoked}
            await self.send({**reply, **frames.time_of(self._env.clock), **found})
        except ConnectionError:
            return  # the reader finds the end of the conversation, and why
        except Exception as error:  # noqa: BLE001 - it ends the conversation, in another task
            if not self.broken.done():
                self.broken.set_exception(error)
        finally:
            self._tasks.pop(number, None)
            self._idle_since = asyncio.get_running_loop().time()

    async def _call(self, request: AwsRequest) -> JsonObject:
        principal = self._env.principal
        breaker = self._env.breakers.of(
            principal.account_id, request.region or principal.region, request.service
        )
        if not breaker.admits(self._env.clock):
            return {"failure": frames.write_failure(AwsFailure("circuit", sent=False))}
        heard = False
        try:
            answer = await self._env.call(request)
            heard = True
            breaker.succeeded()
        except AwsFailure as failure:
            heard = failure.kind != "not_sent"
            if class_of(failure) in BREAKING:
                breaker.failed(self._env.clock)
            elif heard:
                breaker.succeeded()
            return {"failure": frames.write_failure(failure)}
        finally:
            if not heard:
                breaker.abandoned()
        return {"value": frames.write_answer(answer)}

    async def _append(self, record: JsonObject) -> JsonObject:
        try:
            await self._env.journal.append(record)
        except Exception as error:  # noqa: BLE001 - raised again where the conversation ends
            self.failure = error
            return {"lost": True}
        return {}

    async def _sleep(self, seconds: float) -> JsonObject:
        await self._env.clock.sleep(max(0.0, seconds))
        return {}
