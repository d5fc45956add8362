"""Bodies in every format -> JSON, by example."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest
import yaml

from naftiko.errors import ConsumedError
from naftiko.extras import require_extra
from naftiko.formats import FORMATS, FormatError, compile_format
from naftiko.formats.child import child_environment
from naftiko.values import MISSING, JsonValue
from tests.case_files import CASES

READERS = yaml.safe_load((CASES / "formats/readers.yaml").read_text(encoding="utf-8"))

PROTO = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Order {
  int64 id = 1;
  repeated Line lines = 2;
  google.protobuf.Timestamp at = 3;
  map<string, int32> counts = 4;
  State state = 5;
  bytes raw = 6;
  double rate = 7;
  message Line { string article_code = 1; }
}
enum State { NEW = 0; OPEN = 1; }
message Other { Other inner = 1; }
"""
ORDER = (
    b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x12\x03\x0a\x01x\x12\x03\x0a\x01y\x1a\x02\x08\x01"
    b"\x22\x05\x0a\x01k\x10\x07\x28\x01\x32\x01z\x39\x00\x00\x00\x00\x00\x00\xf0\x7f"
)
RECORD = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": ["null", "string"]},
        {"name": "raw", "type": "bytes"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "lines", "type": {"type": "array", "items": "string"}},
    ],
}


def read(name: str, body: bytes, schema: str = "", media_type: str = "") -> JsonValue:
    value = compile_format(name, schema).read(body, media_type)
    assert value is not MISSING
    return value


def failure(name: str, body: bytes, media_type: str = "") -> str:
    with pytest.raises(ConsumedError) as caught:
        read(name, body, media_type=media_type)
    assert caught.value.code == "unreadable-answer"
    return caught.value.message


@pytest.mark.parametrize(
    "case", READERS, ids=lambda case: f"{case['format']}: {case['body'][:40]!r}"
)
def test_a_body(case: dict[str, Any]) -> None:
    reader = compile_format(case["format"], case.get("schema", ""))
    body = case["body"].encode()
    if "error" in case:
        assert case["error"] in failure(case["format"], body)
        return
    found = reader.read(body, "")
    assert found == (MISSING if case.get("missing") else case["value"])
    if isinstance(found, dict):
        assert list(found) == list(case["value"])


@pytest.mark.parametrize(
    ("media_type", "codec"),
    [
        ("text/csv; charset=iso-8859-1", "latin-1"),
        ('text/csv; header=present; charset="windows-1252"', "cp1252"),
        ("text/csv", "utf-8"),
        ("text/csv; charset=utf-8", "utf-8-sig"),
        ("text/csv; charset=utf-16", "utf-16"),
        ("text/csv", "utf-16"),
    ],
)
def test_charsets_of_text(media_type: str, codec: str) -> None:
    assert read("csv", "ä\nö\n".encode(codec), media_type=media_type) == [{"ä": "ö"}]


def test_charsets_of_xml() -> None:
    latin = "<?xml version='1.0' encoding='iso-8859-1'?><r>ä</r>".encode("latin-1")
    assert read("xml", latin) == {"": "ä"}
    assert read("xml", "<r>ä</r>".encode("latin-1"), media_type="x/xml; charset=latin1") == {
        "": "ä"
    }
    assert read("xml", "<r>ä</r>".encode("utf-16")) == {"": "ä"}
    assert "encoding" in failure("xml", b"<?xml version='1.0' encoding='nonsense'?><r/>")


def test_charsets_of_html() -> None:
    page = "<meta charset=iso-8859-1><table><tr><th>ä<tr><td>ö</table>".encode("latin-1")
    assert read("html", page) == {"tables": [[{"ä": "ö"}]]}
    assert read("html", b"\xff<table><tr><th>a<tr><td>\xff") == {"tables": [[{"a": "\ufffd"}]]}


def test_bytes_that_are_no_text() -> None:
    assert "not utf-8 text" in failure("csv", b"a\n\xff\n")
    assert "not utf-8 text" in failure("text", b"\xff")


BOMB = "\n".join(
    [
        "a: &a [x, x]",
        *(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 10)}]" for n in range(9)),
    ]
)


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("yaml", BOMB, "more than 1000000 values"),
        ("yaml", "[" * 100_000, "deeper than 200"),
        ("xml", "<a>" * 100_000, "deeper than 200"),
        ("xml", "<r>" + "<a/>" * 1_000_001 + "</r>", "more than 1000000 values"),
        ("csv", "a\n" + "1\n" * 600_000, "more than 1000000 values"),
        ("csv", "a\n" + "1" * 200_000, "field larger than"),
        ("html", "<div>" * 5_000, "deeper than 200"),
        ("html", "<b>" * 100_000, ""),  # read in a process of its own, and ended
        ("markdown", "x" * (4 * 1024 * 1024 + 1), "more than"),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_too_much(name: str, body: str, says: str) -> None:
    assert says in failure(name, body.encode())


def test_reading_apart_gives_the_same() -> None:
    row = "<tr><td>1<td>x"
    small, large = (f"<table><tr><th>a<th>b{row * count}</table>" for count in (3, 5_000))
    assert read("html", small.encode()) == {"tables": [[{"a": "1", "b": "x"}] * 3]}
    assert read("html", large.encode()) == {"tables": [[{"a": "1", "b": "x"}] * 5_000]}
    assert "deeper" in failure("html", b"<div>" * 20_000)


def test_a_time_limit() -> None:
    reader = compile_format("csv")
    with pytest.raises(ConsumedError, match="takes too long"):
        reader.read(b"a\n1\n", "", time_limit_s=0)


def test_a_selector_that_is_none() -> None:
    with pytest.raises(FormatError) as caught:
        compile_format("html", "table[")
    assert caught.value.code == "invalid-selector"


def avro(schema: object, folder: Path) -> Any:
    import json

    file = folder / "order.avsc"
    file.write_text(json.dumps(schema), encoding="utf-8")
    return compile_format("avro", "order.avsc", file)


def test_an_avro_record(tmp_path: Path) -> None:
    record = {"id": 2**60, "note": None, "raw": b"\x00\xff", "at": 1000, "lines": ["a", "b"]}
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(RECORD), record)
    reader = avro(RECORD, tmp_path)
    assert reader.read(stream.getvalue(), "") == {
        "id": 2**60,
        "note": None,
        "raw": base64.b64encode(b"\x00\xff").decode(),
        "at": "1970-01-01T00:00:01+00:00",
        "lines": ["a", "b"],
    }
    for broken in (b"", stream.getvalue()[:-1], stream.getvalue() + b"x", b"Obj\x01..."):
        with pytest.raises(ConsumedError):
            reader.read(broken, "")


@pytest.mark.parametrize("name", ["N", "a.b.N"])
def test_avro_data_that_is_endlessly_deep(name: str, tmp_path: Path) -> None:
    next_ = {"name": "next", "type": ["null", "N"]}
    namespace, _, short = name.rpartition(".")
    schema = {"type": "record", "name": short, "fields": [next_]}
    reader = avro(schema | ({"namespace": namespace} if namespace else {}), tmp_path)
    assert reader.read(b"\x02\x00", "") == {"next": {"next": None}}
    with pytest.raises(ConsumedError):
        reader.read(b"\x02" * 1_000_000 + b"\x00", "")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "record", "name": "E", "fields": []}},
        {"type": "nothing"},
        7,
        "Unknown",
    ],
)
def test_avro_schemas_that_are_none(schema: object, tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        avro(schema, tmp_path)
    assert caught.value.code == "invalid-schema"


def proto(name: str, folder: Path, text: str = PROTO) -> Any:
    file = folder / "order.proto"
    file.write_text(text, encoding="utf-8")
    return compile_format("protobuf", f"order.proto{name}", file)


def test_a_protobuf_message(tmp_path: Path) -> None:
    assert proto("", tmp_path).read(ORDER, "") == {
        "id": 2**63 - 1,
        "lines": [{"article_code": "x"}, {"article_code": "y"}],
        "at": "1970-01-01T00:00:01Z",
        "counts": {"k": 7},
        "state": "OPEN",
        "raw": "eg==",
        "rate": "inf",
    }
    for name in ("#shop.Order.Line", "#Line"):
        assert proto(name, tmp_path).read(b"\x0a\x01x", "") == {"article_code": "x"}
    assert proto("#Other", tmp_path).read(b"", "") == {}
    with pytest.raises(ConsumedError):
        proto("", tmp_path).read(b"\xff\xff", "")


def test_a_descriptor_set(tmp_path: Path) -> None:
    from naftiko.formats.protobuf_message import _compiled

    file = tmp_path / "order.proto"
    file.write_text(PROTO, encoding="utf-8")
    described = tmp_path / "order.binpb"
    described.write_bytes(_compiled(file))
    reader = compile_format("protobuf", "order.binpb", described)
    assert reader.read(b"\x08\x05", "") == {"id": 5}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("#Ordr", PROTO, "no message `Ordr`"),
        ("", "message {", "does not compile: order.proto:1:"),
        ("", 'import "../../secret.proto";', "does not compile"),
        ("", 'syntax = "proto3";', "defines no message"),
    ],
)
def test_protobuf_schemas_that_are_none(name: str, text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        proto(name, tmp_path, text)
    assert (caught.value.code, says in caught.value.message) == ("invalid-schema", True)


def test_a_descriptor_set_that_is_none(tmp_path: Path) -> None:
    for content in (b"\xff\xff", b""):
        file = tmp_path / "x.binpb"
        file.write_bytes(content)
        with pytest.raises(FormatError):
            compile_format("protobuf", "x.binpb", file)


def test_every_extra_is_named_where_it_is_missing() -> None:
    for item in FORMATS.values():
        if item.extra:
            assert require_extra(item.extra, item.module) is None
            assert f"naftiko[{item.extra}]" in (require_extra(item.extra, "no_such_module") or "")


def varint(number: int) -> bytes:
    """Write an Avro long that is not negative."""
    number, out = number << 1, b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


AVRO_BOMBS = {
    # A number of two million digits takes minutes to be written in tens.
    "decimal": ({"type": "bytes", "logicalType": "decimal", "precision": 9}, b"\x7f"),
    # Objects of one byte each.
    "objects": (
        {
            "type": "array",
            "items": {
                "type": "record",
                "name": "I",
                "fields": [{"name": "u", "type": ["null", "string"]}],
            },
        },
        b"\0",
    ),
}


@pytest.mark.parametrize("name", AVRO_BOMBS)
def test_an_avro_bomb_is_ended_with_its_process(name: str, tmp_path: Path) -> None:
    """The compiled reader holds the interpreter's lock: nothing else would run meanwhile."""
    type_, byte = AVRO_BOMBS[name]
    schema = tmp_path / "r.avsc"
    schema.write_text(
        json.dumps({"type": "record", "name": "R", "fields": [{"name": "x", "type": type_}]})
    )
    size = 1_000_000
    body = varint(size) + byte * size + b"\0" * (name == "objects")
    reader = compile_format("avro", "r.avsc", schema)

    with pytest.raises(ConsumedError, match=r"takes too long|limits|more than"):
        reader.read(body, "", time_limit_s=0.7)


def test_a_large_avro_record_is_read(tmp_path: Path) -> None:
    schema = tmp_path / "r.avsc"
    schema.write_text(json.dumps({"type": "array", "items": "long"}))
    body = varint(50_000) + b"\x02" * 50_000 + b"\0"
    assert compile_format("avro", "r.avsc", schema).read(body, "") == [1] * 50_000


def test_processes_that_read_answers_know_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "canary-token")
    assert "canary-token" not in str(child_environment())
    page = b"<table><tr><th>a<tr><td>" + b"x" * 40_000  # in a process of its own
    assert read("html", page) == {"tables": [[{"a": "x" * 40_000}]]}
