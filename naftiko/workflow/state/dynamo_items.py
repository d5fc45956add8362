"""Rows, records and claims as DynamoDB items, in its JSON of typed values.

One table. Keys: `x#<execution>` with `row`, `r#<seq>` and `p#<seq>#<nonce>#<part>`; `c#<claim>`
with `claim`. Index `when` (`bucket`, `at`): unfinished executions by `due`, finished ones by
`expires`, claims that end by `until`. Index `listed` (`kind`, `place`): all executions by start.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TypeAlias

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.state.store import Claim, Execution, Held, Record, place_of

WHEN = "when"
LISTED = "listed"
DUE, EXPIRES, REUSE = "due", "expires", "reuse"

PART_BYTES = 320 * 1024
"""An item may have 400 KB."""

ORPHAN_S = 30 * 24 * 3600
"""Records nobody sweeps go by themselves so long after they were written."""

Item: TypeAlias = "Mapping[str, JsonValue]"


def table_members(table: str) -> JsonObject:
    """Return the members of CreateTable."""
    names: dict[str, str] = {
        "pk": "S",
        "sk": "S",
        "bucket": "S",
        "at": "N",
        "kind": "S",
        "place": "S",
    }
    return {
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": type_} for name, type_ in names.items()
        ],
        "KeySchema": _key("pk", "sk"),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": WHEN,
                "KeySchema": _key("bucket", "at"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
            {
                "IndexName": LISTED,
                "KeySchema": _key("kind", "place"),
                "Projection": {"ProjectionType": "ALL"},
            },
        ],
    }


def _key(hash_: str, range_: str) -> list[JsonValue]:
    return [
        {"AttributeName": hash_, "KeyType": "HASH"},
        {"AttributeName": range_, "KeyType": "RANGE"},
    ]


def text(value: str) -> JsonObject:
    """Return a typed text."""
    return {"S": value}


def number(value: float) -> JsonObject:
    """Return a typed number: 1.5 -> {"N": "1.5"}."""
    return {"N": repr(value)}


def blob(value: bytes) -> JsonObject:
    """Return typed bytes."""
    return {"B": base64.b64encode(value).decode()}


def read_text(item: Item, name: str) -> str:
    """Return a text, empty where there is none."""
    value = item.get(name)
    return str(value["S"]) if isinstance(value, dict) else ""


def read_number(item: Item, name: str) -> float | None:
    """Return a number."""
    value = item.get(name)
    return float(str(value["N"])) if isinstance(value, dict) else None


def read_blob(item: Item, name: str) -> bytes:
    """Return bytes, empty where there are none."""
    value = item.get(name)
    return base64.b64decode(str(value["B"])) if isinstance(value, dict) else b""


def row_key(execution_id: str) -> JsonObject:
    """Return the key of an execution's row."""
    return {"pk": text(f"x#{execution_id}"), "sk": text("row")}


def claim_key(name: str) -> JsonObject:
    """Return the key of a claim."""
    return {"pk": text(f"c#{name}"), "sk": text("claim")}


def record_key(execution_id: str, seq: int) -> JsonObject:
    """Return the key of a record."""
    return {"pk": text(f"x#{execution_id}"), "sk": text(f"r#{seq:010d}")}


def row_item(row: Execution) -> JsonObject:
    """Return the item of a row that is not finished."""
    claims: JsonValue = [[claim.name, claim.digest] for claim in row.claims]
    item: JsonObject = {
        **row_key(row.id),
        "workflow_id": text(row.workflow_id),
        "checksum": text(row.checksum),
        "status": text(row.status),
        "created": number(row.created),
        "kind": text("execution"),
        "place": text(place_of(row)),
        "length": number(row.length),
        "claims": text(json.dumps(claims)),
    }
    if row.wrapped_key:
        item["wrapped_key"] = blob(row.wrapped_key)
    if row.head:
        item["head"] = blob(row.head)
    if row.lease_owner is not None:
        item["lease_owner"] = item["last_owner"] = text(row.lease_owner)
    if row.lease_until is not None:
        item["lease_until"] = number(row.lease_until)
    if row.cancel_asked:
        item["cancel_asked"] = number(1)
    if row.due is not None:
        item["bucket"] = text(DUE)
        item["at"] = number(row.due)
    return item


def read_row(item: Item) -> Execution:
    """Return the row of an item."""
    bucket = read_text(item, "bucket")
    at = read_number(item, "at")
    claims = json.loads(read_text(item, "claims") or "[]")
    return Execution(
        id=read_text(item, "pk").removeprefix("x#"),
        workflow_id=read_text(item, "workflow_id"),
        checksum=read_text(item, "checksum"),
        status=read_text(item, "status"),
        created=read_number(item, "created") or 0.0,
        lease_owner=read_text(item, "lease_owner") or None,
        lease_until=read_number(item, "lease_until"),
        due=at if bucket == DUE else None,
        wrapped_key=read_blob(item, "wrapped_key"),
        length=int(read_number(item, "length") or 0),
        head=read_blob(item, "head"),
        claims=tuple(Claim(name=name, digest=digest) for name, digest in claims),
        finished=read_number(item, "finished"),
        expires=at if bucket == EXPIRES else None,
        cancel_asked=read_number(item, "cancel_asked") is not None,
    )


def claim_item(claim: Claim, execution_id: str) -> JsonObject:
    """Return the item of a claim of an unfinished execution."""
    return {
        **claim_key(claim.name),
        "execution": text(execution_id),
        "digest": text(claim.digest),
    }


def read_claim(item: Item) -> Held:
    """Return who has the claim of an item."""
    return Held(
        execution_id=read_text(item, "execution"),
        digest=read_text(item, "digest"),
        until=read_number(item, "at"),
    )


def record_items(execution_id: str, record: Record) -> list[JsonObject]:
    """Return the items of a record: its first, and the further parts of a large one."""
    parts = [
        record.blob[start : start + PART_BYTES]
        for start in range(0, max(len(record.blob), 1), PART_BYTES)
    ]
    ttl = number(int(record.at) + ORPHAN_S)
    first: JsonObject = {
        **record_key(execution_id, record.seq),
        "nonce": blob(record.nonce),
        "at_": number(record.at),
        "parts": number(len(parts)),
        "blob": blob(parts[0]),
        "ttl": ttl,
    }
    further: list[JsonObject] = [
        {
            "pk": text(f"x#{execution_id}"),
            "sk": text(_part(record.seq, record.nonce, index)),
            "blob": blob(part),
            "ttl": ttl,
        }
        for index, part in enumerate(parts[1:], start=1)
    ]
    return [first, *further]


def read_records(items: list[Item]) -> tuple[Record, ...]:
    """Return the records of an execution's items. A part that is missing makes it unreadable."""
    parts = {read_text(item, "sk"): read_blob(item, "blob") for item in items}
    records = []
    for item in items:
        kind, _, seq = read_text(item, "sk").partition("#")
        if kind != "r":
            continue
        nonce = read_blob(item, "nonce")
        count = int(read_number(item, "parts") or 1)
        further = (parts.get(_part(int(seq), nonce, index), b"") for index in range(1, count))
        records.append(
            Record(
                seq=int(seq),
                nonce=nonce,
                blob=b"".join([read_blob(item, "blob"), *further]),
                at=read_number(item, "at_") or 0.0,
            )
        )
    records.sort(key=lambda record: record.seq)
    return tuple(records)


def _part(seq: int, nonce: bytes, index: int) -> str:
    return f"p#{seq:010d}#{nonce.hex()}#{index:03d}"
