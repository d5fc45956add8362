"""A Protocol Buffers message -> JSON, by a `.proto` file or a serialized descriptor set.

A `.proto` file is compiled while the capability is loaded, in a process of its own. Names are those
of the file; 64-bit integers are numbers, bytes base64, enumerations names, and well-known types
(Timestamp, Struct, ...) as ProtoJSON writes them. Fields that are not set are left out.
"""

from __future__ import annotations

import base64
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import (  # type: ignore[import-untyped]  # comes without types
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message_factory,
)
from google.protobuf.message import (  # type: ignore[import-untyped]  # comes without types
    DecodeError,
    Message,
)

from naftiko.errors import did_you_mean
from naftiko.formats.child import child_environment
from naftiko.formats.limits import Budget, FormatError, UnreadableError, check_depth
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from google.protobuf.descriptor import (  # type: ignore[import-untyped]  # without types
        Descriptor,
        FieldDescriptor,
    )

    from naftiko.formats.reader import Convert

COMPILE_TIME_LIMIT_S = 20.0
MAX_SCHEMA_BYTES = 4 * 1024 * 1024


def compile_converter(schema: str, file: Path | None) -> Convert:
    """Return what reads a message: that of `orders.proto#shop.Order`, else the file's first.

    Raises: FormatError for a file that defines no such message.
    """
    if file is None:
        raise FormatError("invalid-schema", "`outputSchema` names no file")
    class_ = message_factory.GetMessageClass(_descriptor(file, schema.partition("#")[2]))

    def convert(body: bytes, _media_type: str, budget: Budget) -> JsonValue:
        message = class_()
        try:
            message.ParseFromString(body)
        except (DecodeError, RecursionError):
            raise UnreadableError("it does not match the schema") from None
        return _message(message, budget, 0)

    return convert


def _descriptor(file: Path, name: str) -> Descriptor:
    """Return the descriptor of the message that is named, or stands first in the file."""
    descriptors = _descriptor_set(file)
    if not descriptors.file:
        raise FormatError("invalid-schema", f"`{file.name}` defines nothing")
    pool = descriptor_pool.DescriptorPool()
    try:
        for described in descriptors.file:
            pool.Add(described)
        names = _message_names(descriptors)
        # protoc puts a file after what it imports, so that the file itself comes last.
        own = descriptors.file[-1]
        first = _joined(own.package, own.message_type[0].name) if own.message_type else ""
        wanted = next((item for item in names if name in (item, item.rpartition(".")[2])), "")
        chosen = wanted if name else first
        if not chosen:
            raise FormatError(
                "invalid-schema",
                f"`{file.name}` defines no message" + (f" `{name}`" if name else ""),
                did_you_mean(name, names) if name else "",
            )
        return pool.FindMessageTypeByName(chosen)
    except (TypeError, KeyError, ValueError) as error:
        reason = f"`{file.name}` is no set of descriptors that fit: {str(error)[:200]}"
        raise FormatError("invalid-schema", reason) from None


def _message_names(descriptors: descriptor_pb2.FileDescriptorSet) -> list[str]:
    names: list[str] = []
    for described in descriptors.file:
        pending = [(described.package, item) for item in described.message_type]
        while pending:
            outer, item = pending.pop(0)
            names.append(_joined(outer, item.name))
            pending += [(names[-1], inner) for inner in item.nested_type]
    return names


def _joined(outer: str, name: str) -> str:
    return f"{outer}.{name}" if outer else name


def _descriptor_set(file: Path) -> descriptor_pb2.FileDescriptorSet:
    try:
        if file.stat().st_size > MAX_SCHEMA_BYTES:
            raise FormatError("invalid-schema", f"`{file.name}` has more than 4 MiB")
        content = _compiled(file) if file.suffix == ".proto" else file.read_bytes()
        return descriptor_pb2.FileDescriptorSet.FromString(content)
    except (OSError, DecodeError):
        raise FormatError(
            "invalid-schema",
            f"`{file.name}` is no descriptor set",
            "name a `.proto` file, or what `protoc --include_imports --descriptor_set_out` wrote",
        ) from None


def _compiled(file: Path) -> bytes:
    """Return the descriptor set of a `.proto` file; imports are looked for beside it."""
    import grpc_tools  # type: ignore[import-untyped]  # comes without types

    known = Path(grpc_tools.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        # -P: modules in the folder the engine runs in must not shadow the compiler's.
        command = [sys.executable, "-P", "-m", "grpc_tools.protoc", f"-I{file.parent}"]
        command += [f"-I{known}", "--include_imports", f"--descriptor_set_out={out}", str(file)]
        try:
            done = subprocess.run(  # noqa: S603  # the compiler; the file is data to it
                command,
                capture_output=True,
                timeout=COMPILE_TIME_LIMIT_S,
                env=child_environment(),
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise FormatError(
                "invalid-schema", f"compiling `{file.name}` takes longer than 20 s"
            ) from None
        if done.returncode != 0:
            raise FormatError(
                "invalid-schema",
                f"`{file.name}` does not compile: {_first_finding(done.stderr, file)}",
            )
        return out.read_bytes()


def _first_finding(stderr: bytes, file: Path) -> str:
    """Return what the compiler says first: "orders.proto:3:1: Expected ..."."""
    lines = stderr.decode("utf-8", "replace").replace(f"{file.parent}{os.sep}", "").splitlines()
    return next((line for line in lines if ".proto:" in line), "the compiler failed")[:300]


def _message(message: Message, budget: Budget, depth: int) -> JsonValue:
    check_depth(depth)
    budget.take()
    if message.DESCRIPTOR.full_name.startswith("google.protobuf."):
        return _well_known(message)
    out: JsonObject = {}
    for field, value in message.ListFields():
        out[field.name] = _field(field, value, budget, depth)
    return out


def _well_known(message: Message) -> JsonValue:
    try:
        value: JsonValue = json_format.MessageToDict(message, preserving_proto_field_name=True)
    except (json_format.Error, TypeError, ValueError, RecursionError):
        name = message.DESCRIPTOR.name
        raise UnreadableError(f"a {name} in it has no JSON form") from None
    return value


def _field(
    field: FieldDescriptor, value: Any, budget: Budget, depth: int
) -> JsonValue:  # what protobuf gives for a field
    if isinstance(value, Mapping):
        item = field.message_type.fields_by_name["value"]
        return {
            key if isinstance(key, str) else str(key).lower(): _one(item, one, budget, depth)
            for key, one in value.items()
        }
    if field.is_repeated:
        return [_one(field, one, budget, depth) for one in value]
    return _one(field, value, budget, depth)


def _one(
    field: FieldDescriptor, value: Any, budget: Budget, depth: int
) -> JsonValue:  # what protobuf gives for a field
    budget.take()
    match value:
        case Message():
            return _message(value, budget, depth + 1)
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case float():
            return value if math.isfinite(value) else str(value)
        case int() if field.enum_type is not None:
            known = field.enum_type.values_by_number.get(value)
            return known.name if known is not None else value
        case bool() | int() | str():
            return value
        case _:
            raise UnreadableError("it holds a value that JSON has no word for")
