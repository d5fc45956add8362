"""The formats by name, and what reads an answer in one of them.

Libraries are imported while a file is loaded that uses their format, never by a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

from naftiko.errors import ConsumedError
from naftiko.formats.apart import run_apart
from naftiko.formats.limits import TIME_LIMIT_S, Budget, UnreadableError
from naftiko.values import JsonValue, Missing

Convert: TypeAlias = Callable[[bytes, str, Budget], "JsonValue | Missing"]
"""Body, Content-Type and budget -> the JSON value. It raises nothing but UnreadableError."""

PASSED_THROUGH = frozenset({"binary", "raw"})
"""Formats whose bytes go on as they are; they have no value to map."""

INLINE_BYTES = 256 * 1024
"""Answers up to this size are read at once, larger ones in a thread."""
_MIB = 1024 * 1024


class SchemaKind(Enum):
    """What `outputSchema` is to a format: nothing, a filter on the answer, or a schema file."""

    NONE = "none"
    FILTER = "filter"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format: `extra` brings `module`; `name` is what people call it.

    `converter` is the module here whose `compile_converter(option, file)` gives a Convert; the
    option is the `outputSchema` where the format has one, else `option`. Answers larger than
    `apart_above` bytes are converted in a process of their own, which can be ended: the libraries
    have texts that take them minutes.
    """

    name: str
    converter: str
    extra: str = ""
    module: str = ""
    option: str = ""
    schema: SchemaKind = SchemaKind.NONE
    max_bytes: int = 32 * _MIB
    inline_bytes: int = INLINE_BYTES
    apart_above: int | None = None


FORMATS: Mapping[str, Format] = {
    "xml": Format(name="XML", converter="xml_elements", extra="xml", module="defusedxml"),
    "csv": Format(name="CSV", converter="separated", option=","),
    "tsv": Format(name="TSV", converter="separated", option="\t"),
    "psv": Format(name="PSV", converter="separated", option="|"),
    "yaml": Format(name="YAML", converter="yaml_values", max_bytes=8 * _MIB, inline_bytes=32_768),
    "html": Format(
        name="HTML",
        converter="html_tables",
        extra="html",
        module="selectolax",
        schema=SchemaKind.FILTER,
        max_bytes=16 * _MIB,
        inline_bytes=16_384,
        apart_above=32_768,
    ),
    "markdown": Format(
        name="Markdown",
        converter="markdown_sections",
        extra="markdown",
        module="mdit_py_plugins",
        schema=SchemaKind.FILTER,
        max_bytes=4 * _MIB,
        inline_bytes=16_384,
        apart_above=131_072,
    ),
    "avro": Format(
        name="Avro",
        converter="avro_record",
        extra="avro",
        module="fastavro",
        schema=SchemaKind.FILE,
        max_bytes=8 * _MIB,
        inline_bytes=16_384,
        apart_above=32_768,
    ),
    "protobuf": Format(
        name="Protobuf",
        converter="protobuf_message",
        extra="protobuf",
        module="grpc_tools",
        schema=SchemaKind.FILE,
        max_bytes=8 * _MIB,
    ),
    "text": Format(name="text", converter="plain_text"),
}
"""By the names that `outputRawFormat` takes, beside json and PASSED_THROUGH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads answers in one format. `schema` is the filter, or "" where there is none.

    `apart_option` is what the converter takes in a process of its own: the filter, or the text of
    the schema file.
    """

    format: Format
    schema: str
    apart_option: str = field(default="", repr=False)
    convert: Convert = field(repr=False)

    def is_quick(self, body: bytes) -> bool:
        """Tell whether an answer may be read on the event loop."""
        return len(body) <= self.format.inline_bytes

    def read(
        self, body: bytes, media_type: str, *, time_limit_s: float = TIME_LIMIT_S
    ) -> JsonValue | Missing:
        """Return the JSON value; MISSING where the body holds none.

        Raises: ConsumedError[unreadable-answer].
        """
        format_ = self.format
        try:
            if len(body) > format_.max_bytes:
                raise UnreadableError(f"it has more than {format_.max_bytes} bytes")
            if format_.apart_above is not None and len(body) > format_.apart_above:
                return run_apart(
                    format_.converter, self.apart_option, body, media_type, time_limit_s
                )
            return self.convert(body, media_type, Budget(time_limit_s))
        except UnreadableError as error:
            raise ConsumedError(
                code="unreadable-answer",
                message=f"the answer cannot be read as {format_.name}: {error}",
            ) from None


def compile_format(name: str, schema: str = "", file: Path | None = None) -> Reader:
    """Return what reads a format of FORMATS. Its library must be there.

    `file` is the schema file that `schema` names, `orders.proto#shop.Order` without the fragment.

    Raises: FormatError for a schema that the format cannot be read with.
    """
    format_ = FORMATS[name]
    option = format_.option if format_.schema is SchemaKind.NONE else schema
    convert = load_converter(format_.converter)(option, file)
    apart_option = schema
    if file is not None and format_.apart_above is not None:
        apart_option = file.read_text(encoding="utf-8-sig")
    return Reader(format=format_, schema=schema, apart_option=apart_option, convert=convert)


def load_converter(converter: str) -> Callable[[str, Path | None], Convert]:
    """Return the `compile_converter` of a module of this package."""
    module = import_module(f"naftiko.formats.{converter}")
    compile_converter: Callable[[str, Path | None], Convert] = module.compile_converter
    return compile_converter
