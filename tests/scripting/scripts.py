"""Compiles and runs scripts for the tests beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from naftiko.scripting import Script, ScriptFile, ScriptLimits, ScriptSource, compile_script
from naftiko.source import Location
from naftiko.values import JsonValue, Missing


def script_of(language: str, *texts: str, **limits: float) -> Script:
    """Compile texts, the last of which is the script `calc`, the others its dependencies."""
    names = [f"lib{number}" for number in range(len(texts) - 1)] + ["calc"]
    files = tuple(
        ScriptFile(name=name, text=text, place=partial(Location, name))
        for name, text in zip(names, texts, strict=True)
    )
    source = ScriptSource(language=language, files=files)
    return compile_script(source, ScriptLimits(**limits), name="calc")  # type: ignore[arg-type]


def run(
    language: str, *texts: str, context: Mapping[str, JsonValue] | None = None, **limits: float
) -> JsonValue | Missing:
    """Compile and run."""
    return asyncio.run(script_of(language, *texts, **limits).run(context or {}))
