"""Script text -> Script: JavaScript and Python in sandboxes, outside this process.

Behaviour reference, section 11. A script sees one object, `context`, and leaves its answer in the
variable `result`. It has no files, network, processes, environment or other scripts' data.
"""

from __future__ import annotations

from naftiko.scripting.script import (
    Script,
    ScriptFile,
    ScriptLimits,
    ScriptSource,
    ScriptSyntaxError,
    compile_script,
)

__all__ = [
    "Script",
    "ScriptFile",
    "ScriptLimits",
    "ScriptSource",
    "ScriptSyntaxError",
    "compile_script",
]
