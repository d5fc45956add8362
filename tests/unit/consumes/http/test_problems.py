"""What is wrong with an API in the file: reported at its place, and refused in every call."""

from __future__ import annotations

import asyncio

import pytest

from naftiko.errors import ConsumedError, Severity
from naftiko.expressions import ExpressionError
from naftiko.plan.run import Run
from tests.unit.consumes.http.apis import Api, api

GET = "method: GET"


def only_problem(compiled: Api) -> tuple[str, Severity, str]:
    compiled.operation()
    (problem,) = compiled.problems
    return problem.code, problem.severity, problem.message


def refusal(compiled: Api) -> ConsumedError:
    with pytest.raises(ConsumedError) as caught:
        asyncio.run(compiled.refused().call({"a": 1}, Run(inputs={})))
    return caught.value


@pytest.mark.parametrize(
    ("base", "fault"),
    [
        ("", "no scheme"),
        ("api.example.com", "no scheme"),
        ("ftp://api.example.com", "http or https"),
        ("https://", "no host name"),
        ("https://user:pw@api.example.com", "credentials"),
        ("https://api.example.com?x=1", "query"),
        ("https://api.example.com:99999", "65535"),
        ("https://api example.com", "no host name"),
        ("https://[::1", "no host name"),
    ],
)
def test_a_base_uri_that_cannot_be_called(base: str, fault: str) -> None:
    compiled = api(GET, base=base)
    code, severity, message = only_problem(compiled)
    assert (code, severity) == ("invalid-base-uri", Severity.ERROR)
    assert fault in message
    assert refusal(compiled).code == "invalid-base-uri"


@pytest.mark.parametrize("base", ["http://[::1]:80/x", "http://127.0.0.1", "HTTPS://a_b.example"])
def test_a_base_uri_that_can(base: str) -> None:
    compiled = api(GET, base=base)
    assert compiled.http().request.render({}).url.endswith("/things")
    assert compiled.codes == []


@pytest.mark.parametrize("base", ["https://{host}", "https://api.{host}", "https://x{a}.com"])
def test_a_host_that_only_a_caller_could_choose(base: str) -> None:
    compiled = api(GET, base=base)
    code, severity, _ = only_problem(compiled)
    assert (code, severity) == ("unresolved-base-uri", Severity.WARNING)
    error = refusal(compiled)
    assert (error.code, error.status) == ("unresolved-base-uri", 502)
    assert "binds" in error.hint


@pytest.mark.parametrize("type_", ["bear", "OAuth1", "hawk"])
def test_an_authentication_that_is_not_served_refuses_the_api(type_: str) -> None:
    compiled = api(GET, extra=f"authentication: {{type: {type_}, username: canary-u}}")
    code, severity, message = only_problem(compiled)
    assert (code, severity) == ("unsupported-authentication", Severity.ERROR)
    assert "canary" not in message
    assert refusal(compiled).code == "unusable-authentication"


@pytest.mark.parametrize(
    "authentication",
    [
        "{type: bearer}",
        "{type: basic, password: canary}",
        "{type: apikey, value: canary}",
        "{type: apikey, key: X}",
        "{type: apikey, key: X, placement: query}",
        "{type: digest, username: canary-u}",
        "{type: digest, password: canary}",
        "{type: oauth2, clientId: canary}",
        "{type: oauth2, clientId: canary, tokenEndpoint: 'https://a.example/t'}",
        "{type: oauth2, clientSecret: canary, tokenEndpoint: 'https://a.example/t'}",
        "{type: oauth2, grantType: refresh_token, clientId: canary, authorizationServerUri: "
        "'https://a.example'}",
    ],
)
def test_an_authentication_without_what_it_needs(authentication: str) -> None:
    compiled = api(GET, extra=f"authentication: {authentication}")
    code, severity, message = only_problem(compiled)
    assert (code, severity) == ("missing-field", Severity.ERROR)
    assert "canary" not in message
    refusal(compiled)


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        ("{type: multipartForm, data: [{value: b}]}", "multipart"),
        ("{type: sparql, data: '{% if a %}x{% endif %}'}", "{% %}"),
        ("{type: sparkle, data: x}", "sparkle"),
        ("{type: raw}", "raw"),
        ("{type: raw, data: x, encoding: rot13}", "rot13"),
        ("{type: text}", "text"),
        ("{type: form, data: [1]}", "form"),
    ],
)
def test_a_body_that_is_not_sent(body: str, type_: str) -> None:
    compiled = api(f"method: POST, body: {body}")
    code, severity, message = only_problem(compiled)
    assert (code, severity) == ("unsupported-body", Severity.WARNING)
    assert type_ in message
    assert refusal(compiled).code == "unsupported-body"


def test_a_format_that_nobody_knows() -> None:
    compiled = api("method: GET, outputRawFormat: CVS")
    assert only_problem(compiled)[:2] == ("unknown-format", Severity.WARNING)
    assert (compiled.http().parse_json, compiled.http().answer) == (False, None)


@pytest.mark.parametrize("format_", ["xml", "CSV", "Yaml", "html", "markdown", "text", "binary"])
def test_formats_whatever_their_case(format_: str) -> None:
    compiled = api(f"method: GET, outputRawFormat: {format_}")
    assert compiled.http().answer is not None
    assert compiled.codes == []


def test_an_invalid_timeout() -> None:
    assert only_problem(api("method: GET, timeout: soon"))[:1] == ("invalid-timeout",)
    assert only_problem(api("method: GET, timeout: 0"))[:1] == ("invalid-timeout",)


def test_timeouts() -> None:
    assert api(GET).http().timeout_s == 30
    assert api(GET, extra="timeout: 2m").http().timeout_s == 120
    assert api("method: GET, timeout: 500ms", extra="timeout: 2m").http().timeout_s == 0.5


def test_an_unknown_place() -> None:
    compiled = api("method: GET, inputParameters: [{name: a, in: querry}]")
    assert only_problem(compiled)[:2] == ("unknown-place", Severity.WARNING)
    assert next(iter(compiled.problems)).hint == "did you mean `query`?"


def test_a_header_that_is_fixed_and_cannot_be_sent() -> None:
    compiled = api('method: GET, inputParameters: [{name: A, in: header, value: "a\\nb"}]')
    assert only_problem(compiled)[:2] == ("invalid-header", Severity.ERROR)


def test_a_header_name_that_is_none() -> None:
    compiled = api("method: GET, inputParameters: [{name: 'a b', in: header}]")
    assert only_problem(compiled)[:2] == ("invalid-header", Severity.WARNING)
    assert compiled.http().request.render({"a b": "1"}).headers == ()


def test_a_method_that_is_none() -> None:
    compiled = api('method: "GET / HTTP/1.1\\r\\nX: "')
    assert only_problem(compiled)[:2] == ("invalid-method", Severity.ERROR)
    refusal(compiled)


def test_a_template_that_means_nothing_is_raised_with_its_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        api(GET, path="/a/{{#x}}").operation()
    assert caught.value.problem.code == "unsupported-template"
    assert caught.value.problem.location.line == 7


def test_a_missing_bind_is_noted_where_it_is_used() -> None:
    compiled = api(GET, extra="authentication: {type: bearer, token: '{{T}}'}", binds="T")
    compiled.operation()
    assert [item.name for item in compiled.templates.missing] == ["T"]
    assert compiled.codes == []


def test_a_missing_bind_of_an_operation_that_nothing_calls_is_no_matter() -> None:
    compiled = api(GET, extra="authentication: {type: bearer, token: '{{T}}'}", binds="T")
    assert compiled.templates.missing == []


def test_the_engine_explains_without_secrets() -> None:
    compiled = api(
        "method: POST, inputParameters: [{name: q, in: query}, {name: X-A, in: header}, "
        "{name: X-B, in: header, value: '{{T}}'}, {name: c, in: cookie}], "
        "body: {type: json, data: {a: '{{a}}', t: '{{T}}'}}",
        path="/{{T}}/{id}",
        extra="authentication: {type: basic, username: u, password: '{{T}}'}",
        binds="T",
        environment={"T": "canary-token"},
    )
    lines = list(compiled.http().explain())
    assert lines == [
        "POST https://api.example.com/v1/{T}/{id}",
        "query: q",
        "headers: X-B, X-A",
        "cookies: c",
        "body: application/json {a, t}",
        "authentication: basic (header Authorization)",
        "timeout: 30 s",
        "reads: JSON",
    ]
    shown = repr(compiled.http()) + repr(compiled.http().request.render({"id": 1}))
    assert "canary" not in shown
    assert "Y2FuYXJ5" not in shown


def test_secrets_are_made_known() -> None:
    compiled = api(GET, extra="authentication: {type: basic, username: u, password: canary-p}")
    compiled.operation()
    assert compiled.masker("canary-p dTpjYW5hcnktcA==") == "*** ***"
