"""`authentication` of a consumed API -> the headers and query that prove who calls.

Secrets fail closed: a call whose secret has no value is refused, never sent without it. Values are
in no error, problem or explanation.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from naftiko.consumes.http.binder import Binder
from naftiko.consumes.http.encoding import HEADER_NAME, header_text, percent_encode, plain_text
from naftiko.consumes.http.paths import Scope
from naftiko.document.nodes import Mapping, Scalar
from naftiko.errors import ConsumedError, InputError, RunError, did_you_mean
from naftiko.model.consumes import Authentication
from naftiko.values import MISSING, JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.expressions.template import Template

SIGNED = frozenset({"sigv4", "awssigv4"})
SUPPORTED = ("bearer", "basic", "apikey", "digest", "oauth2", "mtls", "sigv4")
PUBLIC_MEMBERS = frozenset(
    (
        "username",
        "grantType",
        "tokenEndpoint",
        "authorizationServerUri",
        "clientId",
        "clientAuthentication",
        "scopes",
        "audience",
        "resource",
    )
)
"""Members whose text is not masked, unless a bind gives it: errors have to name the endpoint."""

_MISSING_HINTS = {
    "tokenEndpoint": "add `tokenEndpoint: https://auth.example.com/token`, or the issuer as "
    "`authorizationServerUri`",
    "clientId": 'add `clientId: "{{CLIENT_ID}}"`',
    "key": "add `key: X-Api-Key`, the header or query parameter",
    "headers": 'write `headers: {X-Api-Key: "{{MY_SECRET}}"}`',
}
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Secret:
    """A member of `authentication`: `token`, with its template.

    `fixed` is its value where that is known at load. `unbound` names variables that have none;
    no argument may stand in for them. `arguments` are those that it is made of.
    """

    member: str
    template: Template = field(repr=False)
    fixed: str | None = field(default=None, repr=False)
    unbound: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    may_be_empty: bool = False

    def text(self, scope: Scope) -> str:
        """Return the value.

        Raises: ConsumedError where any part of it is missing.
        """
        if self.fixed is not None:
            return self.fixed
        absent = any(scope.get(name) is None for name in self.arguments)
        if absent or self.unbound or self.template.missing(scope):
            raise self._missing()
        value = self.template.render(scope)
        text = "" if value is MISSING else plain_text(value).strip()
        if not text and not self.may_be_empty:
            raise self._missing()
        return text

    def _missing(self) -> ConsumedError:
        names = ", ".join(f"`{name}`" for name in self.unbound)
        hint = f"declare {names} under `binds` and set it" if names else "set what it refers to"
        return ConsumedError(
            code="missing-credentials",
            message=f"`{self.member}` of `authentication` has no value, so nothing was sent",
            hint=hint,
        )


@dataclass(frozen=True, slots=True)
class SecretHeader:
    """A header made of secrets: `Authorization: Bearer {token}`; `kind` is bearer, basic, plain."""

    name: str
    kind: str
    secrets: tuple[Secret, ...]

    def text(self, scope: Scope) -> str:
        """Return the header's value.

        Raises: ConsumedError.
        """
        texts = [secret.text(scope) for secret in self.secrets]
        if self.kind == "basic":
            return "Basic " + b64encode(":".join(texts).encode()).decode()
        value = f"Bearer {texts[0]}" if self.kind == "bearer" else texts[0]
        try:
            return header_text(self.name, value)
        except InputError:
            raise ConsumedError(
                code="invalid-credentials",
                message=f"`{self.secrets[0].member}` of `authentication` holds characters that a "
                "header cannot carry, so nothing was sent",
                hint="look for a line break in the value that is bound",
            ) from None

    @property
    def is_fixed(self) -> bool:
        """Whether it is the same for every call."""
        return all(secret.fixed is not None for secret in self.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationPlan:
    """What is added to a request. `fixed_headers` and `fixed_query` are settled at load."""

    type_: str
    fixed_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: tuple[SecretHeader, ...] = ()
    fixed_query: tuple[str, ...] = field(default=(), repr=False)
    query: tuple[tuple[str, Secret], ...] = ()
    query_names: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()

    def header_names(self) -> tuple[str, ...]:
        """Return the names of the headers it sets, in lower case."""
        names = [name for name, _ in self.fixed_headers] + [item.name for item in self.headers]
        return (*self.reserved, *(name.lower() for name in names))

    def render_query(self, scope: Scope) -> Iterator[str]:
        """Yield the encoded pairs.

        Raises: ConsumedError.
        """
        yield from self.fixed_query
        for name, secret in self.query:
            yield f"{name}={percent_encode(secret.text(scope), secret.member, 'query')}"

    def explain(self) -> str:
        """Return the type and where it goes, without values."""
        places = [f"header {name}" for name, _ in self.fixed_headers]
        places += [f"header {item.name}" for item in self.headers]
        places += [f"query {name}" for name in self.query_names]
        return f"{self.type_} ({', '.join(places)})" if places else self.type_


NO_AUTHENTICATION = AuthenticationPlan(type_="none")
PROVEN = AuthenticationPlan(type_="proven", reserved=("authorization",))
"""An authenticator writes the header Authorization; no parameter may."""


def type_of(authentication: Authentication) -> str:
    """Return the type in one spelling: "apiKey" -> "apikey", "awsSigV4" -> "awssigv4"."""
    return authentication.type_.lower().replace("-", "").replace("_", "")


def compile_authentication(
    authentication: Authentication | None, binder: Binder
) -> AuthenticationPlan | None:
    """Compile bearer, basic and apikey; None after a problem, and then no call may be made.

    Raises: ExpressionError.
    """
    if authentication is None:
        return NO_AUTHENTICATION
    members = Members(authentication, binder)
    match type_of(authentication):
        case "bearer":
            return members.plan([members.header("Authorization", "bearer", "token")])
        case "basic":
            return members.plan([members.header("Authorization", "basic", "username", "password")])
        case "apikey":
            return _api_key(members)
        case "none" | "mtls" | "mutualtls":  # the connection itself is the proof: see tls.py
            return NO_AUTHENTICATION
        case _:
            report_unsupported(authentication, binder)
            return None


def report_unsupported(authentication: Authentication, binder: Binder) -> None:
    """Report a type that is not served: calls without it would go out unauthenticated."""
    if not authentication.type_:
        binder.context.problems.error(
            "missing-field",
            "`authentication` does not say its `type`",
            authentication.location,
            f"one of {', '.join(SUPPORTED)}",
        )
        return
    binder.context.problems.error(
        "unsupported-authentication",
        f"`authentication` of type `{authentication.type_}` is not served for consumed APIs",
        authentication.location,
        did_you_mean(authentication.type_, SUPPORTED) or f"served: {', '.join(SUPPORTED)}",
    )


def _api_key(members: Members) -> AuthenticationPlan | None:
    """`{key, value, placement}`, `{name, value, in}`, or `headers: {A: .., B: ..}`."""
    several = members.fields.get("headers")
    if isinstance(several, Mapping):
        return members.plan(_several_headers(members, several))
    key = members.scalar("key", "name")
    if key is None:
        members.report_missing("key")
        return None
    placement = members.scalar("placement", "in")
    where = placement.text.lower() if placement else "header"
    if where == "query":
        return members.query(key.text)
    if where == "header":
        return members.plan([members.header(key.text, "plain", "value")])
    members.binder.context.problems.error(
        "unsupported-authentication",
        f"an API key is placed in `{where}`, found neither header nor query",
        members.location,
        did_you_mean(where, ("header", "query")),
    )
    return None


def _several_headers(members: Members, several: Mapping) -> list[SecretHeader | None]:
    if not several.entries:
        members.report_missing("headers")
        return [None]
    named: list[SecretHeader | None] = []
    for key, node in several.entries:
        member = f"headers.{key.text}"
        if isinstance(node, Scalar):
            named.append(members.one_header(key.text, member, node))
        else:
            members.report_missing(member)
            named.append(None)
    return named


class Unsettled(Exception):  # noqa: N818  # it unwinds to where calls are refused
    """A member has no value at load, and that was reported."""


class Members:
    """Reads the members of one `authentication`."""

    def __init__(self, authentication: Authentication, binder: Binder) -> None:
        """Keep them."""
        self.fields = authentication.fields
        self.location = authentication.location
        self.type_ = authentication.type_
        self.binder = binder

    def scalar(self, *names: str) -> Scalar | None:
        """Return the first scalar member under these names."""
        found = (self.fields.get(name) for name in names)
        return next((item for item in found if isinstance(item, Scalar)), None)

    def header(self, name: str, kind: str, *members: str) -> SecretHeader | None:
        """Return a header made of members; None where one is absent, which is reported."""
        secrets: list[Secret] = []
        for member in members:
            scalar = self.scalar(member)
            if scalar is None and member == "password":
                continue
            if scalar is None:
                self.report_missing(member)
                return None
            secrets.append(self.secret(member, scalar))
        if kind == "basic" and len(secrets) == 1:
            scalar = Scalar("", "", self.location)
            secrets.append(self.secret("password", scalar))
        return SecretHeader(name, kind, tuple(secrets))

    def one_header(self, name: str, member: str, scalar: Scalar) -> SecretHeader:
        """Return a header that is one value."""
        return SecretHeader(name, "plain", (self.secret(member, scalar),))

    def query(self, name: str) -> AuthenticationPlan | None:
        """Return the plan of a key in the query; None where it has no value."""
        scalar = self.scalar("value")
        if scalar is None:
            self.report_missing("value")
            return None
        secret = self.secret("value", scalar)
        encoded = percent_encode(name, name, "query")
        if secret.fixed is None:
            return AuthenticationPlan(
                type_=self.type_, query=((encoded, secret),), query_names=(name,)
            )
        pair = f"{encoded}={percent_encode(secret.fixed, 'value', 'query')}"
        return AuthenticationPlan(type_=self.type_, fixed_query=(pair,), query_names=(name,))

    def plan(self, headers: Sequence[SecretHeader | None]) -> AuthenticationPlan | None:
        """Return the plan of these headers; None where one of them is."""
        fixed: list[tuple[str, str]] = []
        open_: list[SecretHeader] = []
        for header in headers:
            if header is None or not self._is_sendable(header.name):
                return None
            value = _settled(header)
            if value is None:
                open_.append(header)
                continue
            fixed.append((header.name, value))
            self.binder.context.add_secret(value.partition(" ")[2] or value)
        return AuthenticationPlan(
            type_=self.type_, fixed_headers=tuple(fixed), headers=tuple(open_)
        )

    def _is_sendable(self, name: str) -> bool:
        if HEADER_NAME.fullmatch(name):
            return True
        self.binder.context.problems.error(
            "invalid-header",
            f"`{name}` in `authentication` is no name of a header",
            self.location,
            "names are made of letters, digits and dashes: `X-Api-Key`",
        )
        return False

    def report_missing(self, member: str) -> None:
        """Report that a member has to be there."""
        self.binder.context.problems.error(
            "missing-field",
            f"`authentication` of type `{self.type_}` has no `{member}`",
            self.location,
            _MISSING_HINTS.get(
                member, f'add `{member}: "{{{{MY_SECRET}}}}"`, and bind MY_SECRET under `binds`'
            ),
        )

    def settled(self, *names: str) -> str | None:
        """Return a member's value as it is known at load, None where it is not given.

        Raises: Unsettled where it has no value then, which was reported.
        """
        scalar = self.scalar(*names)
        if scalar is None:
            return None
        secret = self.secret(names[0], scalar)
        if secret.fixed is not None:
            return secret.fixed
        if secret.arguments:
            self.binder.context.problems.warn(
                "missing-credentials",
                f"`{names[0]}` of `authentication` is left to callers, who must not prove who this "
                "server is, so calls to this API are refused",
                scalar.location,
                "bind its variable under `binds`",
            )
        raise Unsettled

    def secret(self, member: str, scalar: Scalar) -> Secret:
        """Compile a member, settled where it is known at load."""
        binder = self.binder
        template = binder.text(scalar)
        names = binder.arguments_of(template.references)
        variables = self._variables(template)
        undeclared = [name for name in names if name not in binder.constants and name in variables]
        # What stays missing whatever the scope holds is declared and has no value: reported there.
        declared = template.missing({**dict.fromkeys(names, "x"), **_filled(variables)})
        for name in undeclared:
            self.binder.needed.pop(name, None)
            if name not in declared and variables[name] not in declared:
                self._report_unbound(variables[name], scalar)
        unset = [name for name in names if binder.constants.get(name, "") is None]
        arguments = [name for name in names if name not in (*undeclared, *binder.constants)]
        secret = Secret(
            member=member,
            template=template,
            unbound=(*(variables[name] for name in undeclared), *unset),
            arguments=tuple(arguments),
            may_be_empty=member in ("username", "password"),
        )
        if arguments or secret.unbound or template.missing(binder.constants):
            return secret
        try:
            text = secret.text(binder.constants)
        except RunError:
            return secret
        if member not in PUBLIC_MEMBERS:
            binder.context.add_secret(text)
        return replace(secret, fixed=text)

    def _variables(self, template: Template) -> dict[str, str]:
        """Return what is written as variables are, by the argument it would be otherwise.

        `{{TOKEN}}` and `{{vault.TOKEN}}` mean a secret of this server: a misspelt one must not
        become an input that callers fill.
        """
        found: dict[str, str] = {}
        for reference in template.references:
            name = self.binder.context.templates.input_name(reference.name) or reference.name
            if _VARIABLE.fullmatch(name.rpartition(".")[2]):
                found.setdefault(name.partition(".")[0], name)
        return found

    def _report_unbound(self, name: str, scalar: Scalar) -> None:
        self.binder.context.problems.warn(
            "undeclared-variable",
            f"`{{{{{name}}}}}` in `authentication` is not declared under `binds`, so calls to this "
            "API are refused",
            scalar.location,
            "declare it: `keys: {{{0}: {0}}}`".format(name.rpartition(".")[2]),
        )


def _filled(variables: dict[str, str]) -> JsonObject:
    """Return a scope that holds these: {"vault": "vault.TOKEN"} -> {"vault": {"TOKEN": "x"}}."""
    scope: JsonObject = {}
    for name, variable in variables.items():
        value: JsonValue = "x"
        for part in reversed(variable.split(".")[1:]):
            value = {part: value}
        scope[name] = value
    return scope


def _settled(header: SecretHeader) -> str | None:
    """Return the header's value if it is the same for every call, and fit to be sent."""
    if not header.is_fixed:
        return None
    try:
        return header.text({})
    except RunError:
        return None
