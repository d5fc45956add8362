"""Finds the files that come with the engine: `schemas/`, `shared/` and `capabilities/`.

They stand once, at the top of the checkout; the wheel carries them in `naftiko/_data/`.
"""

from __future__ import annotations

from pathlib import Path

from naftiko.errors import StartError, nearest

_PACKAGE = Path(__file__).resolve().parent
SCHEMA_FILE = "capability.schema.json"
_SUFFIXES = (".yaml", ".yml", ".json")


def data_folder(name: str) -> Path | None:
    """Return the folder `schemas`, `shared` or `capabilities`, None where it did not come along.

    A checkout is known by its pyproject.toml: beside an installed package stand other packages.
    """
    carried = _PACKAGE / "_data" / name
    if carried.is_dir():
        return carried
    checkout = _PACKAGE.parent
    folder = checkout / name
    return folder if (checkout / "pyproject.toml").is_file() and folder.is_dir() else None


def schema_path() -> Path:
    """Return where the JSON Schema of capability files stands.

    Raises: FileNotFoundError: the installation is incomplete.
    """
    folder = data_folder("schemas")
    if folder is None:
        message = f"{SCHEMA_FILE} did not come with this installation of naftiko"
        raise FileNotFoundError(message)
    return folder / SCHEMA_FILE


def read_schema() -> str:
    """Return the text of the JSON Schema of capability files.

    Raises: FileNotFoundError: the installation is incomplete.
    """
    return schema_path().read_text(encoding="utf-8")


def shipped_names() -> tuple[str, ...]:
    """Return the names that `naftiko run` knows without a path: `stepfunctions`."""
    folder = data_folder("capabilities")
    return tuple(sorted(file.stem for file in folder.glob("*.yaml"))) if folder else ()


def find_capability(name_or_path: str) -> Path:
    """Return the file that a path or a bare name stands for.

    "orders.yaml" -> that file. "stepfunctions" -> `capabilities/stepfunctions.yaml` in the current
    folder, else the one that comes with the engine.

    Raises: StartError where there is none.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.name != name_or_path or path.suffix:
        raise _no_such_file(path)
    here = Path("capabilities", f"{name_or_path}.yaml")
    if here.is_file():
        return here
    folder = data_folder("capabilities")
    shipped = folder / here.name if folder else None
    if shipped is not None and shipped.is_file():
        return shipped
    raise _no_such_name(name_or_path)


def _no_such_file(path: Path) -> StartError:
    if path.is_dir():
        return StartError(f"`{path}` is a folder, not a capability file")
    try:
        siblings = [item.name for item in path.parent.iterdir() if item.suffix in _SUFFIXES]
    except OSError:
        return StartError(f"the file `{path}` does not exist, nor does its folder")
    near = nearest(path.name, siblings)
    hint = f"did you mean `{path.parent / near}`?" if near else ""
    return StartError(f"the file `{path}` does not exist", hint=hint)


def _no_such_name(name: str) -> StartError:
    names = shipped_names()
    near = nearest(name, names)
    listed = f"known by name: {', '.join(names)}" if names else ""
    hint = "; ".join(filter(None, (f"did you mean `{near}`?" if near else "", listed)))
    return StartError(
        f"there is no file `{name}`, no `capabilities/{name}.yaml` here, and no capability of that "
        "name comes with naftiko",
        hint=hint,
    )
