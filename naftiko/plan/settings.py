"""What adapters of every type share: port, address, who is let in."""

from __future__ import annotations

from dataclasses import dataclass

from naftiko.document.nodes import Scalar
from naftiko.errors import Problems, did_you_mean
from naftiko.expressions import ExpressionError
from naftiko.model.consumes import Authentication
from naftiko.plan.capability import ServerAuth
from naftiko.plan.masking import Masker
from naftiko.plan.templates import PlanTemplates
from naftiko.source import Location

DEFAULT_PORTS = {"rest": 8080, "mcp": 9090, "skill": 8090}
SERVER_AUTH_FIELDS = {
    "bearer": ("token",),
    "apikey": ("key", "value"),
    "basic": ("username", "password"),
}


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

    def text(self, scalar: Scalar) -> str | None:
        """Return a setting's text with variables filled in, None if one has no value."""
        try:
            value = self.templates.scalar(scalar).render({})
        except ExpressionError as error:
            self.problems.add(error.problem)
            return None
        return str(value) if isinstance(value, str | int) else None

    def auth(self, authentication: Authentication | None) -> ServerAuth | None:
        """A server that asks for a secret it does not have would let in everybody or nobody."""
        if authentication is None:
            return None
        names = SERVER_AUTH_FIELDS.get(authentication.type_)
        if names is None:
            self.problems.error(
                "unsupported-authentication",
                f"server authentication of type `{authentication.type_}` is not served",
                (authentication.text("type") or authentication).location,
                did_you_mean(authentication.type_, SERVER_AUTH_FIELDS),
            )
            return None
        fields = {name: self._auth_field(authentication, name) for name in names}
        fields["placement"] = authentication.fields.plain().get("placement") or "header"  # type: ignore[union-attr,assignment]  # a mapping's plain value is an object
        return ServerAuth(type_=authentication.type_, fields=fields)

    def _auth_field(self, authentication: Authentication, name: str) -> str:
        scalar = authentication.text(name)
        before = len(self.templates.missing)
        value = self.text(scalar) if scalar is not None else None
        if value and value.strip() and "{{" not in value:
            if name in ("token", "value", "password"):
                self.masker.add(value)
            return value
        missing = self.templates.missing[before:]
        del self.templates.missing[before:]
        detail = f": {missing[0].origin} has no value" if missing else ""
        self.problems.error(
            "unresolved-secret",
            f"the server's `{name}` has no value{detail}",
            scalar.location if scalar is not None else authentication.location,
            "without it every caller, or none, would be let in",
        )
        return ""
