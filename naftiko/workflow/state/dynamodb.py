"""The shared store: one DynamoDB table, leases by conditional writes, old rows by its own TTL.

It is reached through the same function as all of AWS. What one change must not do by halves is a
transaction, whose token makes a repeat after a lost answer harmless.
Source: the API reference of DynamoDB.
"""

from __future__ import annotations

from collections.abc import Mapping

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import AwsFailure, CallAws, Clock, LeaseLost
from naftiko.workflow.state import dynamo_items as items
from naftiko.workflow.state.dynamo_table import ATTEMPTS, BATCH, FAILED, OWN, DynamoTable
from naftiko.workflow.state.store import (
    REUSE_LIMIT,
    Execution,
    Held,
    Page,
    Record,
    StateError,
    StateUnavailable,
    place_of,
    read_cursor,
)


class DynamoStore:
    """Executions in a table, seen by all workers."""

    shared = True

    def __init__(self, call: CallAws, clock: Clock, table: str = "naftiko-workflows") -> None:
        """Nothing is asked yet. The clock only waits between repeats."""
        self._table = DynamoTable(call, clock, table)

    async def open(self) -> None:
        """See that the table is there.

        Raises: StateError.
        """
        try:
            await self._table.ask("DescribeTable", {}, mutating=False)
        except AwsFailure:
            raise StateError(
                f"there is no DynamoDB table `{self._table.name}` for the workflow state",
                hint="make it, or let the engine do it where it may",
            ) from None

    async def ensure_table(self) -> None:
        """Make the table, with its TTL, unless it is there.

        Raises: StateError, StateUnavailable.
        """
        try:
            await self._table.ask("CreateTable", items.table_members(self._table.name))
        except AwsFailure as failure:
            if failure.code != "ResourceInUseException":
                raise StateError(
                    f"the table `{self._table.name}` cannot be made: DynamoDB says `{failure.code}`"
                ) from None
        await self._table.await_active()
        described = await self._table.ask("DescribeTimeToLive", {}, mutating=False)
        description = described.get("TimeToLiveDescription")
        state = description.get("TimeToLiveStatus") if isinstance(description, dict) else None
        if state not in {"ENABLED", "ENABLING"}:
            setting: JsonObject = {"Enabled": True, "AttributeName": "ttl"}
            await self._table.ask("UpdateTimeToLive", {"TimeToLiveSpecification": setting})

    async def create(self, row: Execution, /) -> Held | None:
        """Add an execution; see Store."""
        writes: list[JsonValue] = [
            self._table.write("Put", Item=items.row_item(row), Condition="attribute_not_exists(pk)")
        ]
        writes.extend(
            self._table.write(
                "Put",
                Item=items.claim_item(claim, row.id),
                Condition="attribute_not_exists(pk) OR #at <= :now",
                Names={"#at": "at"},
                Values={":now": items.number(row.created)},
            )
            for claim in row.claims
        )
        token = ("create", row.id, row.head.hex(), repr(row.created), row.lease_owner or "")
        for attempt in range(ATTEMPTS):
            if await self._table.transact(writes, *token):
                return None
            in_the_way = await self._in_the_way(row)
            if in_the_way is not None:
                return in_the_way
            await self._table.pause(attempt)
        raise StateUnavailable("DynamoDB: the execution cannot be written for conflicts")

    async def get(self, execution_id: str, /) -> Execution | None:
        """Return the row."""
        item = await self._table.item(items.row_key(execution_id))
        return items.read_row(item) if item is not None else None

    async def append(self, execution_id: str, record: Record, head: bytes, owner: str, /) -> bool:
        """Add a record; see Store. Further parts of a large one go first: alone they are none."""
        first, *further = items.record_items(execution_id, record)
        for part in further:
            await self._table.ask("PutItem", {"Item": part})
        values = {
            ":owner": items.text(owner),
            ":seq": items.number(record.seq),
            ":next": items.number(record.seq + 1),
            ":head": items.blob(head),
        }
        writes: list[JsonValue] = [
            self._table.write(
                "Update",
                Key=items.row_key(execution_id),
                Update="SET #length = :next, head = :head",
                Condition=f"{OWN} AND #length = :seq",
                Names={"#length": "length"},
                Values=values,
            ),
            self._table.write("Put", Item=first, Condition="attribute_not_exists(pk)"),
        ]
        token = ("append", execution_id, str(record.seq), record.nonce.hex(), owner)
        for attempt in range(ATTEMPTS):
            if await self._table.transact(writes, *token):
                return False  # a transaction says nothing of the row: renewals do
            row = await self.get(execution_id)
            if row is None or row.lease_owner != owner or row.length != record.seq:
                raise LeaseLost
            await self._table.pause(attempt)
        raise StateUnavailable("DynamoDB: a record cannot be written for conflicts")

    async def records(self, execution_id: str, /) -> tuple[Record, ...]:
        """Return the records in their order."""
        found = [
            item
            async for item in self._table.query(
                Condition="pk = :pk AND sk < :row",
                Values={":pk": items.text(f"x#{execution_id}"), ":row": items.text("row")},
                Consistent=True,
            )
        ]
        return items.read_records(found)

    async def set_status(self, execution_id: str, status: str, owner: str, /) -> None:
        """Change the status; see Store."""
        await self._table.change(
            execution_id,
            owner,
            "SET #status = :status",
            Names={"#status": "status"},
            Values={":status": items.text(status)},
        )

    async def take_lease(self, execution_id: str, owner: str, now: float, until: float, /) -> bool:
        """Lease an execution; see Store."""
        try:
            await self._table.update(
                items.row_key(execution_id),
                Update="SET lease_owner = :owner, last_owner = :owner, lease_until = :until,"
                " #bucket = :due, #at = :until",
                Condition="attribute_exists(pk) AND attribute_not_exists(finished) AND"
                " (attribute_not_exists(lease_owner) OR lease_owner = :owner"
                " OR lease_until <= :now)",
                Names={"#bucket": "bucket", "#at": "at"},
                Values={
                    ":owner": items.text(owner),
                    ":now": items.number(now),
                    ":until": items.number(until),
                    ":due": items.text(items.DUE),
                },
            )
        except AwsFailure as failure:
            if failure.code == FAILED:
                return False
            raise
        return True

    async def renew(self, execution_id: str, owner: str, until: float, /) -> bool:
        """Keep the lease; see Store."""
        row = await self._table.change(
            execution_id,
            owner,
            "SET lease_until = :until, #at = :until",
            Names={"#at": "at"},
            Values={":until": items.number(until)},
            ReturnValues="ALL_NEW",
        )
        return "cancel_asked" in row

    async def ask_cancel(self, execution_id: str, /) -> bool:
        """Note that it is to be cancelled; see Store."""
        try:
            await self._table.update(
                items.row_key(execution_id),
                Update="SET cancel_asked = :yes",
                Condition="attribute_exists(pk) AND attribute_not_exists(finished)",
                Values={":yes": items.number(1)},
            )
        except AwsFailure as failure:
            if failure.code == FAILED:
                return False
            raise
        return True

    async def release(
        self, execution_id: str, owner: str, status: str, due: float | None, /
    ) -> None:
        """Give the lease back; see Store."""
        values = {":status": items.text(status)}
        if due is not None:
            setting = "SET #status = :status, #bucket = :bucket, #at = :due"
            values.update({":due": items.number(due), ":bucket": items.text(items.DUE)})
            removed = "REMOVE lease_owner, lease_until"
        else:
            setting = "SET #status = :status"
            removed = "REMOVE lease_owner, lease_until, #bucket, #at"
        await self._table.change(
            execution_id,
            owner,
            f"{setting} {removed}",
            Names={"#status": "status", "#bucket": "bucket", "#at": "at"},
            Values=values,
            # After a lost answer it is repeated, and then it is given back already.
            Condition=f"{OWN} OR (attribute_not_exists(lease_owner) AND last_owner = :owner"
            " AND attribute_not_exists(finished))",
        )

    async def due(self, now: float, limit: int, /) -> tuple[Execution, ...]:
        """Return what somebody has to look at; see Store."""
        rows: list[Execution] = []
        async for key in self._table.bucket(items.DUE, now, limit):
            row = await self.get(items.read_text(key, "pk").removeprefix("x#"))
            # The index may lag behind the table.
            if row is not None and row.due is not None and row.due <= now:
                rows.append(row)
            if len(rows) >= limit:
                break
        return tuple(rows)

    async def finish(
        self,
        execution_id: str,
        owner: str,
        status: str,
        now: float,
        expires: float,
        keep: Mapping[str, float],
        /,
    ) -> None:
        """End an execution; see Store."""
        row = await self.get(execution_id)
        if row is None:
            raise LeaseLost
        writes: list[JsonValue] = [
            self._table.write(
                "Update",
                Key=items.row_key(execution_id),
                Update="SET #status = :status, finished = :now, #bucket = :bucket,"
                " #at = :expires, #ttl = :ttl REMOVE lease_owner, lease_until",
                Condition=OWN,
                Names={"#status": "status", "#bucket": "bucket", "#at": "at", "#ttl": "ttl"},
                Values={
                    ":owner": items.text(owner),
                    ":status": items.text(status),
                    ":now": items.number(now),
                    ":bucket": items.text(items.EXPIRES),
                    ":expires": items.number(expires),
                    ":ttl": items.number(int(expires)),
                },
            )
        ]
        writes.extend(
            self._end_claim(claim.name, execution_id, keep.get(claim.name)) for claim in row.claims
        )
        for attempt in range(ATTEMPTS):
            if await self._table.transact(
                writes, "finish", execution_id, owner, status, repr(expires)
            ):
                return
            row = await self.get(execution_id)
            if row is None or row.lease_owner != owner:
                raise LeaseLost
            await self._table.pause(attempt)
        raise StateUnavailable("DynamoDB: the end cannot be written for conflicts")

    async def held(self, claim: str, now: float, /) -> Held | None:
        """Return who has a claim."""
        item = await self._table.item(items.claim_key(claim))
        held = items.read_claim(item) if item is not None else None
        if held is None or (held.until is not None and held.until <= now):
            return None
        return held

    async def sweep(self, now: float, reuse_limit: int = REUSE_LIMIT, /) -> int:
        """Delete what has expired; see Store."""
        gone = [
            items.read_text(key, "pk").removeprefix("x#")
            async for key in self._table.bucket(items.EXPIRES, now)
        ]
        for execution_id in gone:
            await self._delete_execution(execution_id)
        ended = [key async for key in self._table.bucket(items.REUSE, now)]
        newest_first = [
            key async for key in self._table.bucket(items.REUSE, None, is_forward=False)
        ]
        for key in [*ended, *newest_first[reuse_limit:]]:
            await self._delete_claim(key)
        return len(gone)

    async def list(
        self, status: str | None = None, limit: int = 100, cursor: str | None = None, /
    ) -> Page:
        """Return rows, newest first; see Store. What was added this moment may be missing."""
        values = {":kind": items.text("execution")}
        condition = "kind = :kind"
        if cursor is not None:
            read_cursor(cursor)
            condition += " AND place < :cursor"
            values[":cursor"] = items.text(cursor)
        more: JsonObject = {}
        if status is not None:
            values[":status"] = items.text(status)
            more = {"FilterExpression": "#status = :status"}
        rows: list[Execution] = []
        async for item in self._table.query(
            Index=items.LISTED,
            Condition=condition,
            Names={"#status": "status"} if status is not None else None,
            Values=values,
            is_forward=False,
            more=more,
        ):
            rows.append(items.read_row(item))
            if len(rows) > limit:
                break
        if len(rows) <= limit:
            return Page(rows=tuple(rows))
        return Page(rows=tuple(rows[:limit]), cursor=place_of(rows[limit - 1]))

    async def close(self) -> None:
        """Nothing is held."""

    async def _in_the_way(self, row: Execution) -> Held | None:
        if await self.get(row.id) is not None:
            return Held(execution_id=row.id)
        for claim in row.claims:
            held = await self.held(claim.name, row.created)
            if held is not None:
                return held
        return None

    def _end_claim(self, name: str, execution_id: str, until: float | None) -> JsonObject:
        mine = {":id": items.text(execution_id)}
        if until is None:
            return self._table.write(
                "Delete", Key=items.claim_key(name), Condition="execution = :id", Values=mine
            )
        return self._table.write(
            "Update",
            Key=items.claim_key(name),
            Update="SET #bucket = :bucket, #at = :until, #ttl = :ttl",
            Condition="execution = :id",
            Names={"#bucket": "bucket", "#at": "at", "#ttl": "ttl"},
            Values={
                **mine,
                ":bucket": items.text(items.REUSE),
                ":until": items.number(until),
                ":ttl": items.number(int(until)),
            },
        )

    async def _delete_execution(self, execution_id: str) -> None:
        row = await self.get(execution_id)
        if row is None:
            return
        # The key first: were this to end halfway, what is left could not be read.
        await self._table.update(items.row_key(execution_id), Update="REMOVE wrapped_key")
        for claim in row.claims:
            held = await self.held(claim.name, 0.0)
            if held is not None and held.execution_id == execution_id:
                await self._table.ask("DeleteItem", {"Key": items.claim_key(claim.name)})
        keys = [
            {"pk": item["pk"], "sk": item["sk"]}
            async for item in self._table.query(
                Condition="pk = :pk AND sk < :row",
                Values={":pk": items.text(f"x#{execution_id}"), ":row": items.text("row")},
                Consistent=True,
                more={"ProjectionExpression": "pk, sk"},
            )
        ]
        for start in range(0, len(keys), BATCH):
            batch: list[JsonValue] = [
                {"DeleteRequest": {"Key": key}} for key in keys[start : start + BATCH]
            ]
            await self._table.write_batch(batch)
        await self._table.ask("DeleteItem", {"Key": items.row_key(execution_id)})

    async def _delete_claim(self, key: items.Item) -> None:
        try:
            await self._table.ask(
                "DeleteItem",
                {
                    "Key": {"pk": key["pk"], "sk": key["sk"]},
                    # Another execution may have it by now.
                    "ConditionExpression": "#at = :at",
                    "ExpressionAttributeNames": {"#at": "at"},
                    "ExpressionAttributeValues": {":at": key["at"]},
                },
            )
        except AwsFailure as failure:
            if failure.code != FAILED:
                raise
