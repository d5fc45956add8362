"""Files by their path -> a folder that holds them, and nothing outside of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from naftiko.errors import StartError
from naftiko.plan.content_files import FileRefusedError, list_files, read_below

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_FOLDER_BYTES = 128 * 1024 * 1024


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the files of an author's folder by their path; no links, no hidden names.

    Raises: StartError where one cannot be read, or they are too many bytes.
    """
    found: dict[str, bytes] = {}
    total = 0
    for item in list_files(folder):
        try:
            found[item.relative] = read_below(folder, item.relative, MAX_FILE_BYTES)
        except FileRefusedError as error:
            raise StartError(f"{folder}: {error}") from error
        total += len(found[item.relative])
        if total > MAX_FOLDER_BYTES:
            raise StartError(f"{folder} holds more than {MAX_FOLDER_BYTES} bytes")
    return found


def write_folder(folder: Path, files: Mapping[str, bytes], *, force: bool) -> None:
    """Write the files below `folder`. With `force` the folder may hold others, which stay.

    No link is followed below it, and it is none itself.

    Raises: StartError.
    """
    _check(folder, force=force)
    for relative in files:
        _check_below(folder, PurePosixPath(relative))
    try:
        for relative, content in files.items():
            _write(folder.joinpath(*PurePosixPath(relative).parts), content)
    except OSError as error:
        raise StartError(f"{folder} cannot be written: {error.strerror or error}") from error


def _check(folder: Path, *, force: bool) -> None:
    if folder.is_symlink():
        raise StartError(
            f"{folder} is a link, and links are not followed", hint="name the folder itself"
        )
    if folder.exists() and not folder.is_dir():
        raise StartError(f"{folder} is not a folder")
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise StartError(
            f"{folder} is not empty",
            hint="name another folder with --output, or overwrite files in it with --force",
        )


def _check_below(folder: Path, relative: PurePosixPath) -> None:
    place = folder
    for part in relative.parts:
        place /= part
        if place.is_symlink():
            raise StartError(
                f"{place} is a link, and links are not followed", hint="remove it first"
            )
        is_last = part is relative.parts[-1] and place == folder.joinpath(*relative.parts)
        if place.exists() and place.is_dir() is is_last:
            raise StartError(f"{place} is {'a folder' if is_last else 'not a folder'}")


def _write(path: Path, content: bytes) -> None:
    """Write a file beside its place and put it there: never through what stands there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    mode = 0o777 if content.startswith(b"#!") else 0o666
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
            file.write(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
