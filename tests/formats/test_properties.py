"""Whatever an API sends, a reader gives JSON or says why not; nothing else."""

from __future__ import annotations

import csv
import io
import json
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from naftiko.errors import ConsumedError
from naftiko.formats import FORMATS, Reader, SchemaKind, compile_format
from naftiko.values import MISSING
from tests.formats.test_readers import PROTO, RECORD

TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
MARKUP = st.lists(
    st.sampled_from(
        (
            *("<a>", "</a>", "<table>", "<tr>", "<td>", "<th>", "</table>", "<", ">", "&", "&lt;"),
            *("# ", "- ", "|", "---\n", "\n", "```", "> ", "*", "[", "](", "x", " ", "<![CDATA["),
            *(": ", "&a ", "*a", "{", "}", "[", "]", ",", '"', "'", "\t", "!!", "%", "@", "\x00"),
        )
    ),
    max_size=60,
).map(lambda parts: "".join(parts).encode())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@lru_cache(maxsize=32)
def reader(name: str, folder: Path) -> Reader:
    if FORMATS[name].schema is not SchemaKind.FILE:
        return compile_format(name)
    text = json.dumps(RECORD) if name == "avro" else PROTO
    file = folder / ("x.avsc" if name == "avro" else "x.proto")
    file.write_text(text, encoding="utf-8")
    return compile_format(name, file.name, file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("schemas")


@pytest.mark.parametrize("name", FORMATS)
@given(
    body=st.binary(max_size=300) | MARKUP, media_type=st.sampled_from(["", "x/y; charset=latin1"])
)
def test_no_body_is_a_bug(name: str, body: bytes, media_type: str, folder: Path) -> None:
    try:
        value = reader(name, folder).read(body, media_type)
    except ConsumedError as error:
        assert error.code == "unreadable-answer"  # noqa: PT017  # either outcome is fine
    else:
        assert value is MISSING or json.dumps(value, allow_nan=False)


@given(JSON)
def test_json_is_yaml(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert compile_format("yaml").read(text.encode(), "") == value


@given(JSON)
def test_yaml_reads_what_yaml_writes(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    found = compile_format("yaml").read(text.encode(), "")
    assert found == value or yaml.safe_load(text) == found


@given(st.lists(TEXTS.map(str.strip), min_size=1, max_size=4, unique=True), st.data())
def test_csv_reads_what_csv_writes(header: list[str], data: st.DataObject) -> None:
    if header == [""]:
        return
    rows = data.draw(st.lists(st.lists(TEXTS, min_size=len(header), max_size=len(header))))
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    found = compile_format("csv").read(out.getvalue().encode(), "")
    assert found == [dict(zip(header, row, strict=True)) for row in rows]


@given(TEXTS, TEXTS)
def test_xml_texts_arrive(text: str, attribute: str) -> None:
    body = f"<r a={quoteattr(attribute)}><b>{escape(text)}</b></r>".encode()
    try:
        found = compile_format("xml").read(body, "")
    except ConsumedError:
        assert any(char in "\ufffe\uffff" for char in text + attribute)
        return
    assert found == {"a": attribute, "b": text}
