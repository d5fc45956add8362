"""What an execution writes down, and reads again when it goes on. Spec: section 6.10.

A record is one object: `r` what it is, `k` the operation (`loop[3].delete`), `at` when (seconds
since 1970), `e` how many seconds of the execution's time were used by then.

| r | written | holds |
|---|---|---|
| start | first | execution_id, checksum, parameters, mode, principal, idempotency_key |
| intent | before each attempt of a mutating call | attempt, first; members with the first |
| miss | after an attempt that will be repeated | attempt, ambiguous |
| poll | after each look | attempt, since |
| wait | before a wait | until |
| confirm | before a stop | token's digests, rendered, expires, what it covers |
| confirmed | when the token came | |
| done | after each operation | status, outputs, attempts, ids, ms, error, effect |
| failing | before the rollback | step_id, reason, error |
| end | last | status, result |
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import Clock, Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of an operation. `effect`: something was changed, whatever the status says."""

    status: str
    outputs: JsonObject = field(default_factory=dict)
    attempts: int = 0
    ids: tuple[str, ...] = ()
    ms: int = 0
    error: JsonObject | None = None
    effect: bool = False
    reason: str = ""

    @property
    def error_code(self) -> str | None:
        """AWS's code, if the operation failed with an error of AWS."""
        code = self.error.get("aws_code") if self.error is not None else None
        return code if isinstance(code, str) and code else None

    def to_json(self) -> JsonObject:
        """Return the body of the record."""
        found: JsonObject = {"status": self.status, "ms": self.ms}
        if self.outputs:
            found["outputs"] = self.outputs
        if self.attempts:
            found["attempts"] = self.attempts
        if self.ids:
            found["ids"] = list(self.ids)
        if self.error is not None:
            found["error"] = self.error
        if self.effect:
            found["effect"] = True
        if self.reason:
            found["reason"] = self.reason
        return found

    @classmethod
    def of(cls, record: JsonObject) -> Done:
        """Read it again."""
        outputs, error, ids = record.get("outputs"), record.get("error"), record.get("ids")
        return cls(
            status=str(record["status"]),
            outputs=outputs if isinstance(outputs, dict) else {},
            attempts=_integer(record.get("attempts")),
            ids=tuple(str(item) for item in ids) if isinstance(ids, list) else (),
            ms=_integer(record.get("ms")),
            error=error if isinstance(error, dict) else None,
            effect=record.get("effect") is True,
            reason=str(record.get("reason", "")),
        )


@dataclass(slots=True, kw_only=True)
class Flight:
    """The attempts of a mutating call so far. `open`: the last one's outcome is not recorded."""

    attempts: int
    first: float
    members: JsonObject
    ambiguous: bool = False
    open: bool = True


class History:
    """The records of an execution, by operation."""

    def __init__(self, records: Sequence[JsonObject] = ()) -> None:
        """Read the records, in their order."""
        self.start: JsonObject | None = None
        self.done: dict[str, Done] = {}
        self.flights: dict[str, Flight] = {}
        self.polls: dict[str, tuple[int, float]] = {}
        self.waits: dict[str, float] = {}
        self.confirms: dict[str, JsonObject] = {}
        self.confirmed: dict[str, JsonObject] = {}
        self.failing: JsonObject | None = None
        self.end: JsonObject | None = None
        self.last: JsonObject | None = None
        for record in records:
            self._read(record)

    def _read(self, record: JsonObject) -> None:
        key = str(record.get("k", ""))
        self.last = record
        match record["r"]:
            case "start":
                self.start = record
            case "failing":
                self.failing = record
            case "end":
                self.end = record
            case "done":
                self.done[key] = Done.of(record)
            case "intent" | "miss" as kind:
                self._attempt(kind, key, record)
            case kind:
                self._progress(str(kind), key, record)

    def _progress(self, kind: str, key: str, record: JsonObject) -> None:
        match kind:
            case "poll":
                self.polls[key] = (_integer(record["attempt"]), _number(record["since"]))
            case "wait":
                self.waits[key] = _number(record["until"])
            case "confirm":
                self.confirms[key] = record
            case "confirmed":
                self.confirmed[key] = self.confirms[key]

    def _attempt(self, kind: str, key: str, record: JsonObject) -> None:
        if kind == "intent":
            self._intent(key, record)
            return
        flight = self.flights[key]
        flight.open = False
        flight.ambiguous = flight.ambiguous or record["ambiguous"] is True

    def _intent(self, key: str, record: JsonObject) -> None:
        flight = self.flights.get(key)
        if flight is None:
            members = record["members"]
            assert isinstance(members, dict)
            self.flights[key] = Flight(attempts=1, first=_number(record["first"]), members=members)
            return
        # An attempt that stayed open was ended by a crash: what came of it is not known.
        flight.ambiguous = flight.ambiguous or flight.open
        flight.attempts = _integer(record["attempt"])
        flight.open = True

    @property
    def awaiting(self) -> JsonObject | None:
        """The confirmation that has been asked for and not been given."""
        for key, record in self.confirms.items():
            if key not in self.confirmed:
                return record
        return None

    def used_s(self, now: float) -> float:
        """Return how much of its time the execution has used.

        Free is to wait for a confirmation, and for a place before the first operation.
        """
        if self.last is None:
            return 0.0
        used = _number(self.last["e"])
        if self.last["r"] in {"start", "confirm"}:
            return used
        return used + max(0.0, now - _number(self.last["at"]))


class Recorder:
    """Writes records, one at a time, each with the time."""

    def __init__(self, journal: Journal, clock: Clock, used_s: float = 0.0) -> None:
        """Write to `journal`; the execution has used `used_s` seconds already."""
        self._journal = journal
        self._clock = clock
        self._began = clock.monotonic() - used_s
        self._lock = asyncio.Lock()

    @property
    def used_s(self) -> float:
        """How much time the execution has used."""
        return self._clock.monotonic() - self._began

    @property
    def began(self) -> float:
        """The monotonic time at which an execution that never waited for its user began."""
        return self._began

    async def write(self, kind: str, key: str = "", body: JsonObject | None = None) -> JsonObject:
        """Append a record; it is durable when this returns.

        Raises: LeaseLost.
        """
        record: JsonObject = {
            "r": kind,
            "at": round(self._clock.now().timestamp(), 3),
            "e": round(self.used_s, 3),
        }
        if key:
            record["k"] = key
        if body:
            record.update(body)
        async with self._lock:
            await self._journal.append(record)
        return record


def _integer(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0


def _number(value: JsonValue) -> float:
    assert isinstance(value, int | float)
    return float(value)
