"""Converts an answer in a process of its own, which can be ended when it takes too long.

`python -m naftiko.formats.apart CONVERTER MEDIA_TYPE SIZE` reads a schema of SIZE bytes, then a
body, and writes JSON: {"value": ...} or {"error": "it is ..."}.
"""

from __future__ import annotations

import json
import sys

from naftiko.formats.child import child_environment, no_core_dumps
from naftiko.formats.limits import Budget, UnreadableError
from naftiko.values import JsonValue

MAX_MEMORY_BYTES = 2 * 1024**3


def run_apart(
    converter: str, schema: str, body: bytes, media_type: str, time_limit_s: float
) -> JsonValue:
    """Return the value. It blocks: call it in a thread.

    Raises: UnreadableError; also where the process fails or takes longer than it may.
    """
    import subprocess  # costs every start some milliseconds otherwise

    # -P: the folder the engine runs in may belong to strangers, and must not shadow modules.
    option = schema.encode()
    command = [sys.executable, "-P", "-m", __name__, converter, media_type, str(len(option))]
    try:
        done = subprocess.run(  # noqa: S603  # our own module; the arguments are data to it
            command,
            input=option + body,
            capture_output=True,
            timeout=time_limit_s,
            env=child_environment(),
        )
    except subprocess.TimeoutExpired:
        raise UnreadableError("reading it takes too long") from None
    except (OSError, ValueError):  # no process may be started; a NUL in the media type
        raise UnreadableError("no process could be started to read it") from None
    if done.returncode != 0:
        raise UnreadableError("it cannot be converted within the limits")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise UnreadableError(answer["error"])
    value: JsonValue = answer["value"]
    return value


def main(converter: str, media_type: str, size: str) -> None:
    """Convert what comes in on stdin; what goes wrong goes out as data."""
    from naftiko.formats.reader import load_converter

    no_core_dumps()
    _limit_memory()
    schema = sys.stdin.buffer.read(int(size)).decode()
    convert = load_converter(converter)(schema, None)
    try:
        answer = {"value": convert(sys.stdin.buffer.read(), media_type, Budget())}
    except UnreadableError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # there is none on Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = MAX_MEMORY_BYTES if most < 0 else min(MAX_MEMORY_BYTES, most)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, most))


if __name__ == "__main__":
    main(*sys.argv[1:])
