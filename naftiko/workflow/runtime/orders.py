"""What is to be executed, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from naftiko.values import JsonObject
from naftiko.workflow.ports import StepEvent
from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.vm.environment import MODES

MAX_KEY = 128

OnEvent = Callable[[StepEvent], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be executed."""

    workflow: str
    parameters: JsonObject
    mode: str = "step_by_step"
    idempotency_key: str | None = None
    target: str | None = None
    """Where it runs, `local` or `step-functions`; None: as the policy says."""


def check_order(order: Order) -> None:
    """Refuse a mode and a key that there cannot be.

    Raises: Refused[InvalidParameters].
    """
    if order.mode not in MODES:
        message = f"the mode must be one of {', '.join(MODES)}"
        raise Refused("InvalidParameters", message)
    if order.idempotency_key is not None and not 0 < len(order.idempotency_key) <= MAX_KEY:
        message = f"an idempotency key has 1 to {MAX_KEY} characters"
        raise Refused("InvalidParameters", message)
