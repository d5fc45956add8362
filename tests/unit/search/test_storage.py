from __future__ import annotations

import hashlib
import io
import json
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from naftiko.search.index import Index
from tests.unit.search.samples import DOCUMENTS, EMBEDDERS, document, embedder

FILES = ("manifest.json", "docs.jsonl", "lexical.json", "lexical.bin", "vectors.npy")


@pytest.fixture(params=EMBEDDERS)
def index(request: pytest.FixtureRequest) -> Index:
    return Index.build(DOCUMENTS, embedder(request.param))


def load(index: Index, folder: Path) -> Index | None:
    return Index.load(folder, index.embedder, index.documents_digest)


def test_what_is_saved_is_loaded(index: Index, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "index"
    index.save(folder)
    loaded = load(index, folder)
    assert loaded is not None
    assert loaded.digest == index.digest
    assert loaded.search("databse snapshot") == index.search("databse snapshot")
    assert Index.load(folder, index.embedder, None) is not None


def test_an_older_one_is_replaced_and_nothing_is_left_beside_it(
    index: Index, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    Index.build([document("other", "something else")], index.embedder).save(folder)
    assert load(index, folder) is None
    index.save(folder)
    assert load(index, folder) is not None
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_the_same_index_is_the_same_files(index: Index, tmp_path: Path) -> None:
    index.save(tmp_path / "one")
    Index.build(DOCUMENTS[::-1], index.embedder).save(tmp_path / "two")
    for file in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / file.name).read_bytes() == file.read_bytes()


def test_another_embedder_does_not_take_it(index: Index, tmp_path: Path) -> None:
    index.save(tmp_path / "index")
    if index.embedder is not None:
        assert Index.load(tmp_path / "index", None, index.documents_digest) is None


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_shortened_file_is_no_index(index: Index, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "index"
    index.save(folder)
    file = folder / name
    if not file.exists():
        assert index.embedder is None
        return
    data = file.read_bytes()
    file.write_bytes(data[:-1])
    assert load(index, folder) is None
    file.unlink()
    assert load(index, folder) is None


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"format": 1}',
        b"[" * 60_000,
        b" " * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_strange_manifest_is_no_index(index: Index, tmp_path: Path, told: bytes) -> None:
    index.save(tmp_path / "index")
    (tmp_path / "index" / "manifest.json").write_bytes(told)
    assert load(index, tmp_path / "index") is None


@pytest.mark.parametrize(
    "change",
    [
        {"arrays": [2**62] * 9},
        {"arrays": []},
        {"arrays": None},
        {"words": []},
        {"words": [1, 2]},
        {"stems": ["x"]},
        {"partTerms": []},
    ],
    ids=str,
)
def test_files_that_fit_their_digests_but_not_each_other(
    index: Index, tmp_path: Path, change: dict[str, object]
) -> None:
    folder = tmp_path / "index"
    index.save(folder)
    _rewrite(folder, "lexical.json", change)
    assert load(index, folder) is None


def _rewrite(folder: Path, name: str, change: dict[str, object]) -> None:
    """Change a file as somebody would who also changes its digest."""
    told = json.loads((folder / name).read_bytes())
    _put(folder, name, json.dumps({**told, **change}).encode())


def _put(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][name] = f"sha256:{hashlib.sha256(data).hexdigest()}"
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    (folder / "manifest.json").write_text(text)


def test_the_digests_of_a_changed_file_can_be_made(index: Index, tmp_path: Path) -> None:
    """Or else these tests would say nothing of what is in the files."""
    index.save(tmp_path / "index")
    _rewrite(tmp_path / "index", "lexical.json", {})
    assert load(index, tmp_path / "index") is not None


ARRAYS = "IIIQIfQIf"
"""Types of what lies in lexical.bin."""


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (2, lambda fields: [0] * (len(fields) - 1) + [fields[-1]]),
        (2, lambda fields: [0] + [fields[-1]] * (len(fields) - 1)),
        (5, lambda weights: [-weight for weight in weights]),
        (5, lambda weights: [3e38] * len(weights)),
        (8, lambda weights: [float("nan")] * len(weights)),
    ],
    ids=["fields to the last", "fields to the first", "below 0", "too large", "no numbers"],
)
def test_numbers_that_fit_no_documents(
    index: Index, tmp_path: Path, number: int, change: Callable[[list[Any]], list[Any]]
) -> None:
    folder = tmp_path / "index"
    index.save(folder)
    data = (folder / "lexical.bin").read_bytes()
    made = b""
    for place, length in enumerate(json.loads((folder / "lexical.json").read_bytes())["arrays"]):
        values = array(ARRAYS[place])
        size = length * values.itemsize
        values.frombytes(data[:size])
        data = data[size:]
        made += (
            array(ARRAYS[place], change(list(values))) if place == number else values
        ).tobytes()
    _put(folder, "lexical.bin", made)
    assert load(index, folder) is None


@pytest.mark.parametrize("factor", [1.1, 1e30, float("nan")])
def test_vectors_that_are_longer_than_1(index: Index, tmp_path: Path, factor: float) -> None:
    if index.embedder is None:
        return
    import numpy as np

    index.save(tmp_path / "index")
    rows = np.load(tmp_path / "index" / "vectors.npy")
    written = io.BytesIO()
    np.save(written, (rows * factor).astype("<f4"))
    _put(tmp_path / "index", "vectors.npy", written.getvalue())
    assert load(index, tmp_path / "index") is None
