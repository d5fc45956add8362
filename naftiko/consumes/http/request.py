"""An operation's arguments -> the request to send. Nothing here sends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from naftiko.consumes.http.authentication import AuthenticationPlan
from naftiko.consumes.http.base_uri import BaseUri
from naftiko.consumes.http.body import BodyPlan, content_type_of
from naftiko.consumes.http.encoding import cookie_text, header_text, query_pairs
from naftiko.consumes.http.parameters import Placed
from naftiko.consumes.http.paths import FixedQuery, PathTemplate, Scope
from naftiko.errors import FieldError, InputError
from naftiko.values import MISSING, JsonValue


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request, ready to be sent. `url` and `headers` may hold secrets."""

    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPlan:
    """A compiled request.

    `text` is the URL for people. `fixed_url` is the whole URL up to the query where no argument is
    part of it. `query` pairs an encoded name with its parameter. `constants` win over arguments,
    which win over `defaults`; `presets` are parameters whose computed value other templates use.
    `required` holds (name, place). `taken` are the arguments with a place of their own.
    """

    method: str
    text: str
    base: BaseUri = field(repr=False)
    path: PathTemplate = field(repr=False)
    fixed_url: str | None = field(repr=False)
    fixed_query: FixedQuery = field(repr=False)
    query: tuple[tuple[str, Placed], ...]
    fixed_headers: tuple[tuple[str, str], ...] = field(repr=False)
    headers: tuple[Placed, ...]
    cookies: tuple[Placed, ...]
    declares_content_type: bool
    body: BodyPlan = field(repr=False)
    authentication: AuthenticationPlan
    constants: Mapping[str, JsonValue] = field(repr=False)
    defaults: Mapping[str, JsonValue]
    presets: tuple[Placed, ...]
    required: tuple[tuple[str, str], ...]
    taken: frozenset[str]

    def render(self, arguments: Mapping[str, JsonValue]) -> HttpRequest:
        """Return the request for these arguments.

        Raises: InputError, ConsumedError (a secret or a part of the host has no value).
        """
        for name, _ in self.required:
            if arguments.get(name) is None:
                raise self._missing(arguments)
        scope = self.scope(arguments)
        body = self.body.render(scope, self.rest(arguments))
        return HttpRequest(self.method, self._url(scope), tuple(self._headers(scope, body)), body)

    def scope(self, arguments: Mapping[str, JsonValue]) -> Scope:
        """Return the names that templates see."""
        if not self.constants and not self.presets and not self.defaults:
            return arguments
        scope = {**self.defaults, **arguments, **self.constants}
        computed = [(item.name, item.source.get(scope)) for item in self.presets]
        scope.update((name, value) for name, value in computed if value is not MISSING)
        return scope

    def rest(self, arguments: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        """Return the arguments without a place of their own, if the body takes them."""
        if not self.body.takes_rest:
            return {}
        return {name: value for name, value in arguments.items() if name not in self.taken}

    def _url(self, scope: Scope) -> str:
        url = self.fixed_url
        if url is None:
            url = self.base.render_origin(scope) + self.path.render(scope)
        pairs = list(self._query(scope))
        return f"{url}?{'&'.join(pairs)}" if pairs else url

    def _query(self, scope: Scope) -> Iterator[str]:
        yield from self.fixed_query.render(scope)
        for encoded_name, item in self.query:
            value = item.source.get(scope)
            if value is not MISSING:
                yield from query_pairs(encoded_name, item.name, value)
        yield from self.authentication.render_query(scope)

    def _headers(self, scope: Scope, body: bytes | None) -> Iterator[tuple[str, str]]:
        yield from self.fixed_headers
        for item in self.headers:
            value = item.source.get(scope)
            if value is not MISSING and value is not None:
                yield item.name, header_text(item.name, value)
        if self.cookies:
            cookies = list(self._cookies(scope))
            if cookies:
                yield "Cookie", "; ".join(cookies)
        if body is not None and not self.declares_content_type:
            yield "Content-Type", content_type_of(self.body, body)
        for header in self.authentication.headers:
            yield header.name, header.text(scope)

    def _cookies(self, scope: Scope) -> Iterator[str]:
        for item in self.cookies:
            value = item.source.get(scope)
            if value is not MISSING and value is not None:
                yield f"{item.name}={cookie_text(item.name, value)}"

    def _missing(self, arguments: Mapping[str, JsonValue]) -> InputError:
        """Return an error that names every argument that is required and absent."""
        return InputError(
            fields=tuple(
                FieldError(name=name, in_=place or "argument", message=f"`{name}` is required")
                for name, place in self.required
                if arguments.get(name) is None
            )
        )

    def explain(self) -> Iterator[str]:
        """Yield what is sent, without any value."""
        yield f"{self.method} {self.text}"
        in_query = (*self.fixed_query.names(), *(item.name for _, item in self.query))
        if in_query:
            yield f"query: {', '.join(in_query)}"
        names = [name for name, _ in self._own_fixed_headers()]
        names += [item.name for item in self.headers]
        if names:
            yield f"headers: {', '.join(names)}"
        if self.cookies:
            yield f"cookies: {', '.join(item.name for item in self.cookies)}"
        yield f"body: {self.body.explain()}"
        yield f"authentication: {self.authentication.explain()}"

    def _own_fixed_headers(self) -> Iterator[tuple[str, str]]:
        ours = set(self.authentication.fixed_headers)
        return (header for header in self.fixed_headers if header not in ours)
