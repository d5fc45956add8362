"""`outputRawFormat` and its companions -> what reads the answers of an operation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from naftiko.consumes.http.response import Response, is_json, parse_json, read_response
from naftiko.errors import ConsumedError, Problems, did_you_mean
from naftiko.expressions.sizes import parse_size_bytes
from naftiko.extras import require_extra
from naftiko.formats import (
    FORMATS,
    PASSED_THROUGH,
    FormatError,
    Reader,
    SchemaKind,
    compile_format,
)
from naftiko.plan.clients import leave_out
from naftiko.plan.named_files import find_named_file
from naftiko.plan.ports import ClientContext, Result
from naftiko.plan.run import Run
from naftiko.values import MISSING, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.document.nodes import Scalar
    from naftiko.model.consumes import ConsumedHttpOperation

DEFAULT_MAX_BINARY_BYTES = 10 * 1024 * 1024

_NO_CONTENT = frozenset({204, 205, 304})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedAnswer:
    """Bytes of another format than JSON, converted when somebody needs their value."""

    address: str
    reader: Reader

    def max_bytes(self, run: Run) -> int | None:
        """None: what holds for every answer is enough."""
        return None

    def read(self, response: Response) -> Result:
        """Return the answer as it came, with what decodes it."""
        result = read_response(response, parse_json=False)
        body, media_type = response.body, response.headers.get("content-type") or ""
        if not body and (result.failed or result.status in _NO_CONTENT):
            return result
        if result.failed:
            result.decode = lambda: self._decode_failure(body, media_type)
        else:
            result.decode = lambda: self._decode(body, media_type)
        return result

    async def _decode(self, body: bytes, media_type: str) -> JsonValue | Missing:
        reader = self.reader
        try:
            if reader.is_quick(body):
                return reader.read(body, media_type)
            return await asyncio.to_thread(reader.read, body, media_type)
        except ConsumedError as error:
            whose = f"the answer of `{self.address}`"
            error.message = error.message.replace("the answer", whose, 1)
            error.details = {"operation": self.address}
            raise

    async def _decode_failure(self, body: bytes, media_type: str) -> JsonValue | Missing:
        """APIs often fail in another format: what cannot be read then passes through as it is."""
        if media_type and is_json(media_type, body):
            return parse_json(body, media_type)
        try:
            return await self._decode(body, media_type)
        except ConsumedError:
            return MISSING

    def explain(self) -> str:
        """Return the format."""
        by = f" by `{self.reader.schema}`" if self.reader.schema else ""
        return f"{self.reader.format.name}{by}, converted to JSON"


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryAnswer:
    """Bytes that have no JSON form. `limit` is the operation's own, None where it has none.

    `media_type` is `outputMediaType`, which goes before what the API says; "" if it is not given.
    """

    address: str
    limit: int | None = None
    media_type: str = ""

    def max_bytes(self, run: Run) -> int | None:
        """Return the operation's limit, else that of the adapter that is called, else 10 MiB."""
        if self.limit is not None:
            return self.limit
        return DEFAULT_MAX_BINARY_BYTES if run.max_binary_bytes is None else run.max_binary_bytes

    def too_large(self, limit: int) -> ConsumedError:
        """Return the error of an answer beyond the limit. Behaviour reference 4.6."""
        return ConsumedError(
            code="response-too-large",
            message=f"Upstream response exceeded maxBinarySize (limit={limit} bytes)",
            status=500,
            details={"operation": self.address},
        )

    def read(self, response: Response) -> Result:
        """Return the bytes; a failed answer keeps its own media type."""
        result = read_response(response, parse_json=False)
        if self.media_type and not result.failed:
            result.media_type = self.media_type
        return result

    def explain(self) -> str:
        """Return what passes through."""
        return f"bytes of {self.media_type}" if self.media_type else "bytes, passed through"


Answer: TypeAlias = ConvertedAnswer | BinaryAnswer


def compile_answer(
    operation: ConsumedHttpOperation, address: str, context: ClientContext
) -> Answer | None:
    """Return what reads the answers; None where they are JSON, or pass through unread.

    Raises: LeftOut where the format cannot be read here: an extra or a schema is missing.
    """
    name = operation.output_raw_format
    _note_unused(operation, name, context.problems)
    if name == "binary":
        return _binary(operation, address, context)
    if name == "json" or name in PASSED_THROUGH or operation.method == "HEAD":
        return None
    format_ = FORMATS.get(name)
    place = operation.output_format or operation
    if format_ is None:
        hint = did_you_mean(name, ["json", *FORMATS, *sorted(PASSED_THROUGH)])
        context.problems.warn(
            "unknown-format",
            f"`{name}` is no format that answers are read in; those of `{address}` pass through "
            "as they are",
            place.location,
            hint,
        )
        return None
    missing = require_extra(format_.extra, format_.module) if format_.module else None
    if missing is not None:
        message = f"`{address}` answers in {format_.name}, which needs a package"
        raise leave_out("missing-extra", message, place.location, missing)
    schema = operation.output_schema
    try:
        file = _schema_file(operation, context) if format_.schema is SchemaKind.FILE else None
        reader = compile_format(name, schema.text if schema else "", file)
    except FormatError as error:
        location = (schema or place).location
        raise leave_out(error.code, error.message, location, error.hint) from None
    return ConvertedAnswer(address=address, reader=reader)


def _note_unused(operation: ConsumedHttpOperation, name: str, problems: Problems) -> None:
    """Name the members that mean nothing to the format."""
    takes_schema = name in FORMATS and FORMATS[name].schema is not SchemaKind.NONE
    for scalar, member, means in (
        (operation.output_schema, "outputSchema", takes_schema or name not in FORMATS),
        (operation.output_media_type, "outputMediaType", name == "binary"),
        (operation.max_binary_size, "maxBinarySize", name == "binary"),
    ):
        if scalar is not None and not means:
            message = f"`{member}` means nothing to answers in `{name}`"
            problems.info("unused-member", message, scalar.location)


def _binary(operation: ConsumedHttpOperation, address: str, context: ClientContext) -> BinaryAnswer:
    limit: int | None = None
    size = operation.max_binary_size
    if size is not None:
        try:
            limit = parse_size_bytes(size.value)
        except ValueError as error:
            context.problems.error("invalid-size", str(error), size.location)
    declared = operation.output_media_type
    return BinaryAnswer(
        address=address, limit=limit, media_type=_media_type(declared) if declared else ""
    )


def _media_type(scalar: Scalar) -> str:
    return scalar.text.strip()


def _schema_file(operation: ConsumedHttpOperation, context: ClientContext) -> Path:
    """Return the schema's file.

    Raises: FormatError; LeftOut where it is not there.
    """
    schema = operation.output_schema
    name = schema.text.partition("#")[0].strip() if schema else ""
    if schema is None or not name:
        raise FormatError(
            "missing-schema",
            f"answers in {operation.output_raw_format} are read by a schema, and none is named",
            "add `outputSchema: ./schemas/order.avsc`, a file beside this one",
        )
    return find_named_file(
        name, schema.location, context.workspace_root, kind="schema", missing="schema-not-found"
    )
