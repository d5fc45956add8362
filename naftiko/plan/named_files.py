"""A file that a document names: beside it or under the workspace root, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from naftiko.errors import did_you_mean
from naftiko.plan.clients import leave_out
from naftiko.resolve.files import UnderRoot, bind_path
from naftiko.source import Location


def find_named_file(
    text: str, place: Location, root: Path, *, kind: str = "file", missing: str = "file-not-found"
) -> Path:
    """Return the file that stands at `place` as "./a.pdf", "file:///./a.pdf" or "file://./a.pdf".

    `kind` is what problems call it, `missing` their code where it does not exist.

    Raises: LeftOut.
    """
    name = bind_path(text) or text
    found = UnderRoot(root).find(name, beside=Path(place.path).parent, also=root)
    if found.path is not None:
        return found.path
    if found.outside is not None:
        raise leave_out(
            "outside-workspace",
            f"the {kind} `{name}` leads outside the workspace root {root}",
            place,
            "move the file under it, or name another root with --workspace",
        )
    hint = did_you_mean(Path(name).name, found.siblings)
    raise leave_out(missing, f"the {kind} `{name}` does not exist", place, hint)
