"""Requests to one DynamoDB table, sent again while it is busy."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import AwsFailure, AwsRequest, CallAws, Clock, LeaseLost
from naftiko.workflow.state import dynamo_items as items
from naftiko.workflow.state.store import (
    StateUnavailable,
)

ATTEMPTS = 6
FIRST_DELAY_S = 0.05
MAX_DELAY_S = 0.8
TIMEOUT_S = 10.0
TABLE_WAIT_S = 300.0

FAILED = "ConditionalCheckFailedException"
_CANCELLED = "TransactionCanceledException"
_BUSY = {
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TransactionInProgressException",
    "InternalServerError",
    "LimitExceededException",
    "TransactionConflictException",
}
_EXPECTED = {FAILED, _CANCELLED, "ResourceNotFoundException", "ResourceInUseException"}
OWN = "lease_owner = :owner"
BATCH = 25
"""So many items BatchWriteItem takes."""


class DynamoTable:
    """A table, asked through the function that reaches AWS."""

    def __init__(self, call: CallAws, clock: Clock, name: str) -> None:
        """Nothing is asked yet. The clock only waits between repeats."""
        self.name = name
        self._call = call
        self._clock = clock

    async def await_active(self) -> None:
        """Wait until it can be used.

        Raises: StateUnavailable.
        """
        end = self._clock.monotonic() + TABLE_WAIT_S
        while self._clock.monotonic() < end:
            described = await self.ask("DescribeTable", {}, mutating=False)
            table = described.get("Table")
            if isinstance(table, dict) and table.get("TableStatus") == "ACTIVE":
                return
            await self._clock.sleep(1.0)
        raise StateUnavailable(f"DynamoDB: the table `{self.name}` does not become active")

    async def write_batch(self, requests: Sequence[JsonValue]) -> None:
        """Write up to 25 items, what is left over again.

        Raises: StateUnavailable.
        """
        for attempt in range(ATTEMPTS):
            answer = await self.ask(
                "BatchWriteItem", {"RequestItems": {self.name: [*requests]}}, has_table=False
            )
            left = answer.get("UnprocessedItems")
            rest = left.get(self.name) if isinstance(left, dict) else None
            if not isinstance(rest, list) or not rest:
                return
            requests = rest
            await self.pause(attempt)
        raise StateUnavailable("DynamoDB: old records cannot be deleted now")

    async def change(
        self,
        execution_id: str,
        owner: str,
        setting: str,
        *,
        Names: Mapping[str, str],  # noqa: N803 - AWS's names
        Values: Mapping[str, JsonValue],  # noqa: N803 - AWS's name
        Condition: str = OWN,  # noqa: N803 - AWS's name
        ReturnValues: str = "NONE",  # noqa: N803 - AWS's name
    ) -> items.Item:
        """Change an execution whose lease the owner has.

        Raises: LeaseLost.
        """
        try:
            return await self.update(
                items.row_key(execution_id),
                Update=setting,
                Condition=Condition,
                Names=Names,
                Values={":owner": items.text(owner), **Values},
                ReturnValues=ReturnValues,
            )
        except AwsFailure as failure:
            if failure.code == FAILED:
                raise LeaseLost from None
            raise

    async def update(self, key: JsonObject, **members: object) -> items.Item:
        """Send an UpdateItem; return the attributes it answers with."""
        answer = await self.ask("UpdateItem", {"Key": key, **_expressions(members)})
        found = answer.get("Attributes")
        return found if isinstance(found, dict) else {}

    def write(self, kind: str, **members: object) -> JsonObject:
        """Return one write of a transaction."""
        return {kind: {"TableName": self.name, **_expressions(members)}}

    async def transact(self, writes: Sequence[JsonValue], *token: str) -> bool:
        """Write all or nothing; False: a condition failed, or others wrote at the same time."""
        digest = hashlib.sha256("\n".join(token).encode()).hexdigest()[:36]
        try:
            await self.ask(
                "TransactWriteItems",
                {"TransactItems": [*writes], "ClientRequestToken": digest},
                has_table=False,
            )
        except AwsFailure as failure:
            if failure.code == _CANCELLED:
                return False
            raise
        return True

    async def item(self, key: JsonObject) -> items.Item | None:
        """Return an item as it is now."""
        answer = await self.ask("GetItem", {"Key": key, "ConsistentRead": True}, mutating=False)
        item = answer.get("Item")
        return item if isinstance(item, dict) and item else None

    async def bucket(
        self, bucket: str, until: float | None, limit: int = 0, *, is_forward: bool = True
    ) -> AsyncIterator[items.Item]:
        """Yield what the index has in a bucket, in order of time, up to one."""
        condition, values = "#bucket = :bucket", {":bucket": items.text(bucket)}
        names = {"#bucket": "bucket"}
        if until is not None:
            condition += " AND #at <= :until"
            values[":until"] = items.number(until)
            names["#at"] = "at"
        async for item in self.query(
            Index=items.WHEN,
            Condition=condition,
            Names=names,
            Values=values,
            is_forward=is_forward,
            more={"Limit": limit} if limit else {},
        ):
            yield item

    async def query(
        self,
        *,
        Condition: str,  # noqa: N803 - AWS's names
        Values: Mapping[str, JsonValue],  # noqa: N803 - AWS's name
        Names: Mapping[str, str] | None = None,  # noqa: N803 - AWS's name
        Index: str | None = None,  # noqa: N803 - AWS's name
        Consistent: bool = False,  # noqa: N803 - AWS's name
        is_forward: bool = True,
        more: JsonObject | None = None,
    ) -> AsyncIterator[items.Item]:
        """Yield the items of a query, page by page."""
        members: JsonObject = {
            "KeyConditionExpression": Condition,
            "ExpressionAttributeValues": dict(Values),
            "ScanIndexForward": is_forward,
            **(more or {}),
        }
        if Names:
            members["ExpressionAttributeNames"] = dict(Names)
        if Index is not None:
            members["IndexName"] = Index
        if Consistent:
            members["ConsistentRead"] = True
        while True:
            answer = await self.ask("Query", members, mutating=False)
            found = answer.get("Items")
            for item in found if isinstance(found, list) else []:
                if isinstance(item, dict):
                    yield item
            last = answer.get("LastEvaluatedKey")
            if not last:
                return
            members["ExclusiveStartKey"] = last

    async def ask(
        self,
        operation: str,
        members: JsonObject,
        *,
        mutating: bool = True,
        has_table: bool = True,
    ) -> JsonObject:
        """Send a request, again while DynamoDB is busy or gives no answer.

        Raises: AwsFailure: one of the refusals that mean something here; StateUnavailable.
        """
        if has_table:
            members = {"TableName": self.name, **members}
        request = AwsRequest(
            service="dynamodb",
            operation=operation,
            members=members,
            timeout_s=TIMEOUT_S,
            mutating=mutating,
        )
        for attempt in range(ATTEMPTS):
            try:
                return (await self._call(request)).output
            except AwsFailure as failure:
                if failure.code in _EXPECTED:
                    raise
                if not _may_pass(failure):
                    raise StateUnavailable(f"DynamoDB refuses {operation}: {failure}") from None
            await self.pause(attempt)
        raise StateUnavailable(f"DynamoDB does not answer {operation}")

    async def pause(self, attempt: int) -> None:
        """Wait before the next of so many attempts."""
        if attempt + 1 < ATTEMPTS:
            await self._clock.sleep(min(MAX_DELAY_S, FIRST_DELAY_S * 2**attempt))


def _may_pass(failure: AwsFailure) -> bool:
    if failure.kind == "fault":
        return failure.code in _BUSY or failure.status >= 500
    return failure.kind in {"timeout", "connection"}


def _expressions(members: Mapping[str, object]) -> JsonObject:
    """Spell the names of expressions out: `Condition` -> `ConditionExpression`."""
    names = {
        "Update": "UpdateExpression",
        "Condition": "ConditionExpression",
        "Names": "ExpressionAttributeNames",
        "Values": "ExpressionAttributeValues",
    }
    return {names.get(name, name): value for name, value in members.items()}  # type: ignore[misc] # JSON all of it
