"""The process that runs JavaScript: V8 and nothing else. Started by javascript.py, by its path.

It imports nothing of naftiko, has no environment, opens no files once it is ready, and ends when
its standard input does. V8 ends the whole process when memory runs out, so it is not the server's.

Frames on standard input and output: four bytes of length, big-endian, then JSON.
Source: the embedding API of V8, through mini-racer.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from contextlib import ExitStack, suppress
from typing import Any

EXIT_MEMORY = 86
TICK_S = 0.01
MAX_RESULT_CHARS = 16 * 1024 * 1024
STOP = "throw 0;"
"""Before a text that is only to be parsed: V8 reports all early errors, then runs into it."""

PRELUDE = """(() => {
  const names = ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'setTimeout', 'clearTimeout',
                 '__timer_manager'];
  for (const name of names) if (!delete globalThis[name]) globalThis[name] = undefined;
})();"""

WARM_UP = "new Date().toString() + new Intl.DateTimeFormat('en').format() + (1.5).toLocaleString()"

GIVE = """((text, aliases) => {
  const give = (name, value) => Object.defineProperty(globalThis, name,
    {value, writable: true, configurable: true, enumerable: true});
  const context = JSON.parse(text);
  give('context', context);
  for (const [name, key] of aliases) if (!(name in globalThis)) give(name, context[key]);
})(%s, %s);"""

TAKE = """(() => {
  if (typeof result === 'undefined') return '';
  const fail = (path, what) => { throw new Error(`\\`${path}\\` is ${what}`); };
  const above = [];
  const check = (value, path) => {
    switch (typeof value) {
      case 'function': return fail(path, 'a function, which JSON cannot hold');
      case 'symbol': return fail(path, 'a symbol, which JSON cannot hold');
      case 'bigint': return fail(path, 'a BigInt, which JSON cannot hold: use Number or String');
      case 'number': return Number.isFinite(value) || fail(path, `${value}, not a JSON number`);
      case 'object': break;
      default: return true;
    }
    if (value === null || typeof value.toJSON === 'function') return true;
    if (value instanceof Promise) fail(path, 'a promise: scripts do not wait');
    if (value instanceof Map) fail(path, 'a Map: use Object.fromEntries');
    if (value instanceof Set) fail(path, 'a Set: use Array.from');
    if (above.includes(value)) fail(path, 'part of itself');
    if (above.length > 200) fail('result', 'nested too deep');
    above.push(value);
    if (Array.isArray(value)) value.forEach((item, index) => check(item, `${path}[${index}]`));
    else for (const name of Object.keys(value)) check(value[name], `${path}.${name}`);
    above.pop();
    return true;
  };
  check(result, 'result');
  const text = JSON.stringify(result);
  if (typeof text !== 'string') fail('result', 'not JSON');
  if (text.length > %d) fail('result', 'too large');
  return text;
})();"""

_PLACE = re.compile(r"(?P<file>[^\n]*?):(?P<line>[0-9]+): (?P<message>[^\n]*)")


def main() -> None:
    """Answer frames until standard input ends."""
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    loop = asyncio.new_event_loop()
    isolates = Isolates()
    loop.run_until_complete(isolates.warm_up())
    _close_doors()
    _write(replies, {"ready": True})
    while (request := _read(requests)) is not None:
        reply = loop.run_until_complete(_answer(isolates, request))
        _write(replies, reply)
        loop.run_until_complete(isolates.renew())


class Isolates:
    """A fresh V8 isolate for every run, made while nobody waits."""

    def __init__(self) -> None:
        """Make none yet."""
        self._stack = ExitStack()
        self._next: Any = None

    async def warm_up(self) -> None:
        """Load what V8 reads lazily from files: time zones, locales."""
        await self.renew()
        await self._next.eval_cancelable(WARM_UP)
        await self.renew()

    def take(self) -> Any:
        """Return the isolate."""
        return self._next

    async def renew(self) -> None:
        """Throw the isolate away and make another."""
        from py_mini_racer import mini_racer

        self._stack.close()
        self._next = self._stack.enter_context(mini_racer())
        await self._next.eval_cancelable(PRELUDE)


async def _answer(isolates: Isolates, request: dict[str, Any]) -> dict[str, Any]:
    watch = asyncio.ensure_future(_watch_memory(request["memory"]))
    run = _check if request["check"] else _run
    try:
        return await asyncio.wait_for(run(isolates.take(), request), request["timeout"])
    except TimeoutError:
        return {"kind": "timeout"}
    finally:
        watch.cancel()


async def _check(isolate: Any, request: dict[str, Any]) -> dict[str, Any]:
    from py_mini_racer import JSEvalException, JSParseException

    for name, text in request["files"]:
        try:
            await isolate.eval_cancelable(STOP + _named(text, name))
        except JSParseException as error:
            found = _fault("syntax", error, name)
            if found["line"] == 1:
                found["column"] = max(1, found["column"] - len(STOP))
            return found
        except JSEvalException:
            continue
    return {"result": None}


async def _run(isolate: Any, request: dict[str, Any]) -> dict[str, Any]:
    from py_mini_racer import JSEvalException, JSOOMException

    isolate.set_hard_memory_limit(request["memory"])
    kind, name = "error", ""
    try:
        texts = (json.dumps(request["context"]), json.dumps(request["aliases"]))
        await isolate.eval_cancelable(GIVE % texts)
        for name, text in request["files"]:
            await isolate.eval_cancelable(_named(text, name))
        kind = "result"
        found = await isolate.eval_cancelable(TAKE % MAX_RESULT_CHARS)
    except JSOOMException:
        return {"kind": "memory"}
    except JSEvalException as error:
        return _fault(kind, error, name)
    return {"result": found if isinstance(found, str) and found else None}


def _named(text: str, name: str) -> str:
    """`void 0`: what a script ends in need not be something that can leave V8."""
    return f"{text}\n;void 0\n//# sourceURL={name}"


def _fault(kind: str, error: Exception, name: str) -> dict[str, Any]:
    """Read V8's report: `calc.js:2: TypeError: bad`, the line, a caret under the place."""
    text = str(error)
    found = _PLACE.match(text)
    if found is None:
        return {"kind": kind, "message": text[:500], "file": name, "line": 0, "column": 0}
    message = found["message"].removeprefix("Uncaught ")
    if kind == "result":
        return {"kind": kind, "message": message.removeprefix("Error: ")[:500]}
    file = name if found["file"] == "<anonymous>" else found["file"]
    lines = text.split("\n", 3)
    column = lines[2].find("^") + 1 if len(lines) > 2 else 0
    return {
        "kind": kind,
        "message": message[:500],
        "file": file,
        "line": int(found["line"]),
        "column": column,
    }


async def _watch_memory(limit: int) -> None:
    """V8 looks at its limit only when it collects, and never at what buffers take."""
    before = _resident()
    while True:
        await asyncio.sleep(TICK_S)
        if _resident() - before > limit:
            os._exit(EXIT_MEMORY)


def _resident() -> int:
    import resource

    with suppress(OSError):
        return int(os.pread(_statm(), 100, 0).split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


_STATM: list[int] = []


def _statm() -> int:
    if not _STATM:
        _STATM.append(os.open("/proc/self/statm", os.O_RDONLY))
    return _STATM[0]


def _close_doors() -> None:
    """No file is opened, written or dumped from here on."""
    import resource

    _resident()
    none_more = len(os.listdir("/dev/fd")) if os.path.isdir("/dev/fd") else 32  # noqa: PTH112,PTH208
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, none_more),
    ):
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (value, value))


def _read(stream: Any) -> dict[str, Any] | None:
    head = stream.read(4)
    if len(head) < 4:
        return None
    request: dict[str, Any] = json.loads(stream.read(int.from_bytes(head, "big")))
    return request


def _write(stream: Any, reply: dict[str, Any]) -> None:
    body = json.dumps(reply).encode()
    stream.write(len(body).to_bytes(4, "big") + body)
    stream.flush()


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    main()
