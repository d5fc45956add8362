"""Made-up values for any shape: as our callers, boto3's callers and services write them."""

from __future__ import annotations

import base64
import random
from datetime import UTC, datetime
from typing import Any

MAX_DEPTH = 5


class ValueMaker:
    """Makes matching values; the same seed makes the same ones."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311  # test data

    def given(self, shape: Any, depth: int = 0) -> tuple[Any, Any]:
        """Return (what our caller gives, what boto3's caller gives)."""
        match shape.type_name:
            case "structure":
                if shape.metadata.get("document"):
                    return ({"free": [1, "a"]},) * 2
                pairs = {
                    name: self.given(member, depth + 1)
                    for name, member in self._members(shape, depth)
                }
                return (
                    {name: pair[0] for name, pair in pairs.items()},
                    {name: pair[1] for name, pair in pairs.items()},
                )
            case "list":
                items = [self.given(shape.member, depth + 1) for _ in range(self._count(depth))]
                return [item[0] for item in items], [item[1] for item in items]
            case "map":
                keys = shape.key.metadata.get("enum") or ["k1", "k2"]
                values = {key: self.given(shape.value, depth + 1) for key in keys[:2]}
                return (
                    {key: pair[0] for key, pair in values.items()},
                    {key: pair[1] for key, pair in values.items()},
                )
            case "timestamp":
                moment = self._moment()
                text = moment.isoformat().replace(
                    "+00:00", self._random.choice(["Z", "", "+00:00"])
                )
                return text, moment
            case "blob":
                data = self._random.randbytes(9)
                return base64.b64encode(data).decode(), data
            case _:
                return (self._scalar(shape),) * 2

    def answered(self, shape: Any, depth: int = 0) -> Any:
        """Return what a service may send for a shape, with a member nobody knows now and then."""
        match shape.type_name:
            case "structure":
                if shape.metadata.get("document"):
                    return {"free": [1, "a"]}
                value = {
                    member.serialization.get("name", name): self.answered(member, depth + 1)
                    for name, member in self._members(shape, depth)
                }
                if not shape.metadata.get("union") and self._random.random() < 0.2:
                    value |= {"unknownToTheModel": 1}
                if value and not shape.metadata.get("union") and self._random.random() < 0.1:
                    value[next(iter(value))] = None
                return value
            case "list":
                return [self.answered(shape.member, depth + 1) for _ in range(self._count(depth))]
            case "map":
                return {key: self.answered(shape.value, depth + 1) for key in ("k1", "k2")}
            case "timestamp":
                moment = self._moment()
                if self._random.random() < 0.2:
                    return moment.isoformat().replace("+00:00", "Z")
                return moment.timestamp()
            case "blob":
                return base64.b64encode(self._random.randbytes(9)).decode()
            case _:
                return self._scalar(shape)

    def _members(self, shape: Any, depth: int) -> list[tuple[str, Any]]:
        members = list(shape.members.items())
        if shape.metadata.get("union"):
            return [self._random.choice(members)]
        if depth < MAX_DEPTH:
            return members
        return [item for item in members if item[0] in shape.required_members]

    def _count(self, depth: int) -> int:
        return self._random.randint(1, 2) if depth < MAX_DEPTH else 0

    def _moment(self) -> datetime:
        micros = self._random.choice([0, 123_000, 123_456, 1])
        return datetime.fromtimestamp(self._random.randint(0, 4_000_000_000), UTC).replace(
            microsecond=micros
        )

    def _scalar(self, shape: Any) -> Any:
        metadata = shape.metadata
        match shape.type_name:
            case "string" | "character":
                if metadata.get("enum"):
                    return self._random.choice(metadata["enum"])
                if shape.serialization.get("jsonvalue"):
                    return '{"a":1}'
                text = self._random.choice(["text", "ümlaut “quoted” \\ \n", "123", "snow ☃ 🎉"])
                least = metadata.get("min") or 0
                return (text * (1 + least // len(text)))[: metadata.get("max") or None]
            case "boolean":
                return self._random.choice([True, False])
            case "float" | "double" | "bigDecimal":
                number = self._random.choice([0.1, 1e-9, 12345.678, 3.0])
                return min(number, metadata.get("max", number))
            case _:
                low = metadata.get("min") or 0
                return min(low + self._random.randint(0, 5), metadata.get("max") or 2**31)
