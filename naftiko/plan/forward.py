"""`forward` of a REST resource -> ForwardPlan: requests passed on to a consumed API as they are.

Behaviour reference, section 6.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from naftiko.errors import Problems, did_you_mean
from naftiko.model.exposes import ForwardConfig
from naftiko.plan.clients import Clients, leave_out
from naftiko.plan.infer import PATH_VARIABLE
from naftiko.plan.ports import Forwarder, Forwards
from naftiko.source import Location

FORWARD_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
READING_METHODS = ("GET", "HEAD", "OPTIONS")
HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of one connection, and those the engine sets itself. RFC 9110, 7.6.1."""
OF_THE_BODY = frozenset(
    {"accept", "accept-language", "content-encoding", "content-language", "content-type"}
)
"""What the body and the wish for an answer imply; passed on without being trusted."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_DECODINGS = 3
"""How often a path is decoded to look for `..` in it: some servers decode twice."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ForwardPlan:
    """Where requests go that no operation of the route answers.

    `variable` is the place of the path variable that is passed on among all of the route's, None
    where the base URI alone is called. `prefix` is the route up to it, where nothing follows it.
    `headers` are lower-case names of the caller's headers that are passed on.
    """

    name: str
    namespace: str
    forwarder: Forwarder
    methods: tuple[str, ...]
    headers: frozenset[str]
    variable: int | None
    prefix: str | None
    description: str
    location: Location

    def explain(self) -> Sequence[str]:
        """Return lines that say what it does; no secrets."""
        trusted = sorted(self.headers - OF_THE_BODY)
        return [
            f"forward to {self.namespace}",
            f"  trusted headers: {', '.join(trusted) or 'none'}",
            *(f"  {line}" for line in self.forwarder.explain()),
        ]


def compile_forward(
    config: ForwardConfig,
    *,
    name: str,
    path: str,
    description: str,
    clients: Clients,
    problems: Problems,
    read_only: bool,
) -> ForwardPlan:
    """Compile `forward`.

    Raises: LeftOut where the namespace is none that can be forwarded to; ExpressionError.
    """
    target = config.target
    if target is None:
        hint = "add `targetNamespace: <namespace of a consumes entry>`"
        raise leave_out(
            "invalid-forward", "`forward` has no `targetNamespace`", config.location, hint
        )
    client = clients.client(target.text, target.location)
    if client is None:
        known = target.text in clients.consumes
        raise leave_out(
            "unknown-namespace",
            f"`{target.text}` cannot be forwarded to; see the problem of its `consumes` entry"
            if known
            else f"forward names `{target.text}`, but no `consumes` entry has that namespace",
            target.location,
            "" if known else did_you_mean(target.text, clients.consumes),
        )
    forwarder = client.forwarder() if isinstance(client, Forwards) else None
    if forwarder is None:
        raise leave_out(
            "invalid-forward",
            f"`{target.text}` cannot be forwarded to: only HTTP APIs can, and AWS is none of them",
            target.location,
        )
    variable, prefix = _variable(path, config, problems)
    return ForwardPlan(
        name=name,
        namespace=target.text,
        forwarder=forwarder,
        methods=READING_METHODS if read_only else FORWARD_METHODS,
        headers=_trusted(config, problems) | OF_THE_BODY,
        variable=variable,
        prefix=prefix,
        description=description,
        location=config.location,
    )


def leaves_base(path: str) -> bool:
    r"""Tell whether a path, still percent-encoded, leads upwards in any way a server may read it.

    "a/../b", "a/%2e%2e/b", "a%2F..%2Fb", "..;x=1/b", "..\b" and "%252e%252e/b" do.
    """
    text = path
    for _ in range(_DECODINGS):
        segments = re.split(r"[/\\]", text)
        if any(segment.partition(";")[0].strip() in (".", "..") for segment in segments):
            return True
        if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
            return True
        decoded = unquote(text)
        if decoded == text:
            return False
        text = decoded
    return True


def _variable(
    path: str, config: ForwardConfig, problems: Problems
) -> tuple[int | None, str | None]:
    """Return which variable is passed on, and the route before it where nothing follows."""
    found = list(PATH_VARIABLE.finditer(path))
    names = [match.group(1) for match in found]
    if "path" in names:
        index = names.index("path")
    elif len(names) == 1:
        index = 0
    else:
        if names:
            problems.warn(
                "forward-without-path",
                f"the path `{path}` has several variables and none is called `path`, so that only "
                "the base URI is called",
                config.location,
                "call the one that is passed on `{path}`",
            )
        return None, None
    ends = found[index].end() == len(path) and len(names) == 1
    return index, path[: found[index].start()] if ends else None


def _trusted(config: ForwardConfig, problems: Problems) -> frozenset[str]:
    names: set[str] = set()
    for scalar in config.trusted_headers:
        name = scalar.text.strip().lower()
        if _HEADER_NAME.fullmatch(name) is None or name in HOP_BY_HOP:
            problems.warn(
                "untrustable-header",
                f"the header `{scalar.text}` is never passed on",
                scalar.location,
                "it belongs to one connection; remove it"
                if name in HOP_BY_HOP
                else "it is no header's name",
            )
            continue
        names.add(name)
    return frozenset(names)
