"""Runs branches side by side: the first failure cancels the others, a question waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from naftiko.errors import RunError
from naftiko.plan.run import Question, Suspended

Job = Callable[[int], Awaitable[None]]


class _StopError(Exception):
    """Cancels the other branches."""


async def run_together(count: int, job: Job, *, at_once: int) -> None:
    """Run job(0) to job(count - 1), at most `at_once` at a time.

    The first RunError cancels what runs and is raised. A branch that has a question ends alone:
    calls in flight beside it come to their ends, and are noted; then all questions are asked.

    Raises: RunError; Suspended with the questions of all branches.
    """
    numbers = iter(range(count))
    failures: list[RunError] = []
    questions: dict[str, Question] = {}
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(count, at_once)):
                group.create_task(_work(numbers, job, failures, questions))
    except* _StopError:
        pass
    if failures:
        raise failures[0]
    if questions:
        raise Suspended(questions)


async def _work(
    numbers: Iterator[int], job: Job, failures: list[RunError], questions: dict[str, Question]
) -> None:
    for number in numbers:
        try:
            await job(number)
        except Suspended as suspended:
            questions.update(suspended.questions)
            return
        except RunError as error:
            failures.append(error)
            raise _StopError from None
        if questions:
            return
