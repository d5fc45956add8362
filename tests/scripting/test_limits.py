"""Scripts that take too much are stopped, and what they did is gone."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from naftiko.errors import DeadlineError, RunError
from naftiko.scripting.lanes import MAX_WAITING_CHARS, Job, Lanes
from naftiko.scripting.script import SIZE
from tests.scripting.scripts import run, script_of

LOOPS = [("javascript", "while (true) {}"), ("python", "while True: pass")]
CAUGHT = [
    ("javascript", "while (true) { try { while (true) {} } catch (e) {} }"),
    ("javascript", "for (;;) { try { (function f() { f() })() } finally { continue } }"),
    ("python", "while True:\n    try:\n        while True: pass\n    except BaseException: pass"),
    ("python", "import re\nresult = [i for i in range(10 ** 9)]"),
]
BOMBS = [
    ("javascript", "let a = []; while (true) a.push(new Array(1000).fill(1))"),
    ("javascript", "let a = []; for (;;) { const b = new Uint8Array(1e7); b.fill(1); a.push(b) }"),
    ("javascript", "let a = []; for (;;) a.push('x'.repeat(1e6) + a.length)"),
    ("python", "a = []\nwhile True: a.append('x' * 1000000)"),
    ("python", "result = 'x' * 10 ** 12"),
    ("python", "result = 10 ** 10 ** 9"),
]


@pytest.mark.parametrize(("language", "script"), LOOPS)
def test_time_is_bounded(language: str, script: str) -> None:
    with pytest.raises(RunError) as caught:
        run(language, script, timeout_s=0.2)

    assert caught.value.message == "Script step 'calc' exceeded the timeout limit (200 ms)"
    assert (caught.value.status, caught.value.code) == (500, "script-failed")


@pytest.mark.parametrize(("language", "script"), LOOPS)
def test_statements_are_bounded_by_time(language: str, script: str) -> None:
    with pytest.raises(RunError) as caught:
        run(language, script, statements=1000)

    assert caught.value.message == "Script step 'calc' exceeded the statement limit (1000)"


@pytest.mark.parametrize(("language", "script"), CAUGHT)
def test_scripts_cannot_catch_their_end(language: str, script: str) -> None:
    with pytest.raises(RunError, match=r"exceeded the (timeout|memory) limit"):
        run(language, script, timeout_s=0.3)


@pytest.mark.parametrize(("language", "script"), BOMBS)
def test_memory_is_bounded(language: str, script: str) -> None:
    with pytest.raises(RunError) as caught:
        run(language, script, memory_bytes=64 * 2**20)

    assert caught.value.message == "Script step 'calc' exceeded the memory limit (64 MiB)"
    assert run(language, "result = 1") == 1


@pytest.mark.parametrize(("language", "script"), LOOPS)
def test_the_request_may_have_less_time(language: str, script: str) -> None:
    with pytest.raises(DeadlineError, match="within the request's time"):
        asyncio.run(script_of(language, script).run({}, timeout_s=0.1))


@pytest.mark.parametrize(("language", "script"), LOOPS)
def test_cancelling_stops_the_script(language: str, script: str) -> None:
    """More loops than sandboxes are cancelled; the next script still finds one."""

    async def work() -> object:
        hung = script_of(language, script, timeout_s=3600)
        tasks = [asyncio.ensure_future(hung.run({})) for _ in range(6)]
        await asyncio.wait(tasks, timeout=0.2)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        return await script_of(language, "result = 1").run({})

    assert asyncio.run(work()) == 1


@pytest.mark.parametrize("language", ["javascript", "python"])
def test_many_run_at_once_each_with_its_own_context(language: str) -> None:
    async def work() -> list[object]:
        script = script_of(language, "result = context['n'] * 2")
        return list(await asyncio.gather(*(script.run({"n": n}) for n in range(20))))

    assert asyncio.run(work()) == [n * 2 for n in range(20)]


def test_the_event_loop_goes_on() -> None:
    async def work() -> int:
        hung = asyncio.ensure_future(script_of("javascript", *LOOPS[0][1:]).run({}, timeout_s=0.3))
        turns = 0
        while not hung.done():
            await asyncio.sleep(0)
            turns += 1
        assert isinstance(hung.exception(), DeadlineError)
        return turns

    assert asyncio.run(work()) > 10


@pytest.mark.parametrize(
    ("language", "leave", "look", "clean"),
    [
        ("javascript", "Object.prototype.leak = 1; globalThis.leak = 1; result = 1",
         "result = [({}).leak, typeof leak]", [None, "undefined"]),
        ("javascript", "Array.prototype.map = JSON.parse = null; result = 1",
         "result = [1].map(n => JSON.parse('2'))", [2]),
        ("python", "import json\nleak = 1\njson.leak = 1\nresult = 1",
         "import json\nresult = [hasattr(json, 'leak')]", [False]),
    ],
)  # fmt: skip
def test_nothing_is_left_for_the_next_run(
    language: str, leave: str, look: str, clean: object
) -> None:
    async def work() -> object:
        for _ in range(6):
            try:
                await script_of(language, leave).run({})
            except RunError:  # Monty's modules cannot be changed
                assert language == "python"
        return await script_of(language, look).run({})

    assert asyncio.run(work()) == clean


def test_a_context_that_is_too_large_is_refused() -> None:
    with pytest.raises(RunError, match="context has more than 16 MiB"):
        run("javascript", "result = 1", context={"a": "x" * (17 * 2**20)})


def test_scripts_run_soon() -> None:
    """A bound that only a forgotten process start or a leaked isolate would break."""
    script = script_of("javascript", "result = context.n + 1")

    async def work() -> None:
        for n in range(600):
            assert await script.run({"n": n}) == n + 1

    before = time.process_time()
    asyncio.run(work())
    assert time.process_time() - before < 60


def test_what_nobody_can_stop_does_not_hold_up_the_next_script() -> None:
    """V8 writes four thousand million nulls in one go; its process is ended with it."""
    with pytest.raises(RunError, match=r"exceeded the timeout limit"):
        run("javascript", "var result = new Array(2 ** 32 - 1)", timeout_s=0.3)

    for _ in range(2 * SIZE):
        assert run("javascript", "var result = 1", timeout_s=5.0) == 1


def test_contexts_that_wait_are_bounded_in_all() -> None:
    lanes = Lanes("javascript", 1, lambda: Stuck(go))
    go = threading.Event()
    big = "x" * (MAX_WAITING_CHARS // 2 - 1)

    async def story() -> None:
        waiting = [asyncio.ensure_future(lanes.run(Job(files=(), context=big))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(RunError) as caught:
            await lanes.run(Job(files=(), context="xxx"))
        assert caught.value.status == 503
        go.set()
        assert await asyncio.gather(*waiting) == ["1", "1"]
        assert await lanes.run(Job(files=(), context="xxx")) == "1"

    asyncio.run(story())


class Stuck:
    """A sandbox that answers when it may."""

    def __init__(self, go: threading.Event) -> None:
        self._go = go

    def run(self, _job: Job) -> str | None:
        assert self._go.wait(20)
        return "1"

    def stop(self, _job: Job) -> None: ...
