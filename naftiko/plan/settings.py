"""What adapters of every type share: port, address, who is let in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.errors import Problems, RunError, did_you_mean
from naftiko.expressions import ExpressionError
from naftiko.expressions.durations import parse_duration_s
from naftiko.expressions.sizes import parse_size_bytes
from naftiko.expressions.template import Template
from naftiko.model.consumes import Authentication
from naftiko.plan.capability import CorsPlan, ServerAuth
from naftiko.plan.masking import Masker
from naftiko.plan.templates import PlanTemplates
from naftiko.source import Location

DEFAULT_PORTS = {"rest": 8080, "mcp": 9090, "skill": 8090, "control": 9095}
SERVER_AUTH_FIELDS = {
    "bearer": ("token",),
    "apikey": ("key", "value"),
    "basic": ("username", "password"),
}

_ORIGIN = re.compile(r"https?://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


@dataclass(slots=True, kw_only=True)
class AdapterSettings:
    """Reads the settings of the adapters of one capability."""

    templates: PlanTemplates
    problems: Problems
    masker: Masker

    def port(self, scalar: Scalar | None, kind: str, location: Location) -> int:
        """Return the port of an adapter, that of its kind where it gives none."""
        default = DEFAULT_PORTS[kind]
        if scalar is None:
            self.problems.warn(
                "missing-port",
                f"this `{kind}` adapter has no `port`; {default} is used",
                location,
                f"add `port: {default}`",
            )
            return default
        text = self.text(scalar) or ""
        if text.isascii() and text.isdigit() and int(text) <= 65535:
            return int(text)
        self.problems.error(
            "invalid-port",
            f"`port` must be a whole number from 1 to 65535, found `{scalar.text}`",
            scalar.location,
        )
        return 0

    def address(self, scalar: Scalar | None) -> str | None:
        """Return the address an adapter listens on, None where it gives none."""
        return (self.text(scalar) or None) if scalar else None

    def text(self, scalar: Scalar, *, follows: bool = False) -> str | None:
        """Return a setting's text with variables filled in, None if one has no value.

        `follows` says that it is read again where a variable is refreshed.
        """
        try:
            template = self.templates.scalar(scalar)
            if not follows:
                self.templates.warn_settled(template.references)
            value = template.render({})
        except ExpressionError as error:
            self.problems.add(error.problem)
            return None
        except RunError as error:
            self.problems.error("bad-template", error.message, scalar.location)
            return None
        return str(value) if isinstance(value, str | int) else None

    def size(self, scalar: Scalar | None, member: str) -> int | None:
        """Return a number of bytes, None where it is not given or is none."""
        if scalar is None:
            return None
        try:
            return parse_size_bytes(scalar.value)
        except ValueError as error:
            self.problems.error("invalid-size", f"`{member}`: {error}", scalar.location)
            return None

    def cors(self, node: Mapping | None) -> CorsPlan | None:
        """Return which pages of other origins may call, None where no other page may."""
        if node is None:
            return None
        origins = tuple(origin.rstrip("/") for origin in self._texts(node, "origins"))
        if not origins or any(
            origin != "*" and not _ORIGIN.fullmatch(origin) for origin in origins
        ):
            self.problems.error(
                "invalid-cors",
                "`cors` needs `origins`, each `https://host` or `https://host:port`",
                node.location,
                "write `origins: [https://app.example.com]`",
            )
            return None
        credentials = node.get("credentials")
        with_credentials = isinstance(credentials, Scalar) and credentials.value is True
        if with_credentials and "*" in origins:
            self.problems.error(
                "invalid-cors",
                "`cors` lets the pages of every site use their callers' credentials",
                node.location,
                "name the `origins`, or leave out `credentials`",
            )
            return None
        return CorsPlan(
            origins=origins,
            methods=self._texts(node, "methods")
            or ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
            headers=self._texts(node, "headers") or ("*",),
            exposed=self._texts(node, "exposeHeaders"),
            credentials=with_credentials,
            max_age_s=self._seconds(node.get("maxAge"), 600),
        )

    def _texts(self, node: Mapping, name: str) -> tuple[str, ...]:
        found = node.get(name)
        items = found.items if isinstance(found, Sequence) else (found,) if found else ()
        scalars = [item for item in items if isinstance(item, Scalar)]
        return tuple(text for item in scalars if (text := self.text(item)))

    def _seconds(self, node: Node | None, default: int) -> int:
        if not isinstance(node, Scalar):
            return default
        try:
            return int(parse_duration_s(node.value))
        except ValueError as error:
            self.problems.error("invalid-cors", f"`maxAge`: {error}", node.location)
            return default

    def auth(self, authentication: Authentication | None) -> ServerAuth | None:
        """A server that asks for a secret it does not have would let in everybody or nobody."""
        if authentication is None:
            return None
        names = SERVER_AUTH_FIELDS.get(authentication.type_)
        if names is None:
            self.problems.error(
                "unsupported-authentication",
                f"server authentication of type `{authentication.type_}` is not served"
                if authentication.type_
                else "this `authentication` does not say its `type`",
                (authentication.text("type") or authentication).location,
                did_you_mean(authentication.type_, SERVER_AUTH_FIELDS),
            )
            return None
        fields = {name: self._auth_field(authentication, name) for name in names}
        fields["placement"] = authentication.fields.plain().get("placement") or "header"  # type: ignore[union-attr,assignment]  # a mapping's plain value is an object
        met = len(self.templates.missing)
        current = self._current(authentication, names, fields)
        del self.templates.missing[met:]  # named where the value was read
        return ServerAuth(type_=authentication.type_, fields=fields, current=current)

    def _current(
        self, authentication: Authentication, names: Iterable[str], fields: dict[str, str]
    ) -> Callable[[], dict[str, str]] | None:
        """Return what reads the credentials anew, where a variable in them is refreshed."""
        if not self.templates.variables.refreshed:
            return None
        changing: dict[str, Template] = {}
        for name in names:
            scalar = authentication.text(name)
            if scalar is None:
                continue
            try:
                template = self.templates.scalar(scalar)
            except ExpressionError:  # reported where the value was read
                return None
            if any(self.templates.is_refreshed(item.name) for item in template.references):
                changing[name] = template
        if not changing:
            return None

        def current() -> dict[str, str]:
            return {**fields, **{name: item.render_text({}) for name, item in changing.items()}}

        return current

    def _auth_field(self, authentication: Authentication, name: str) -> str:
        scalar = authentication.text(name)
        before = len(self.templates.missing)
        value = self.text(scalar, follows=True) if scalar is not None else None
        if value and value.strip() and "{{" not in value:
            if name in ("token", "value", "password"):
                self.masker.add(value)
            return value
        missing = self.templates.missing[before:]
        del self.templates.missing[before:]
        if any(item.unread for item in missing):
            return ""  # only checked; to run, the store is asked, and what is missing is refused
        detail = f": {missing[0].origin} has no value" if missing else ""
        self.problems.error(
            "unresolved-secret",
            f"the server's `{name}` has no value{detail}",
            scalar.location if scalar is not None else authentication.location,
            "without it every caller, or none, would be let in",
        )
        return ""
