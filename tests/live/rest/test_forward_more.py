"""`forward` where the API asks who calls, and where it cannot be called."""

from __future__ import annotations

import json
from pathlib import Path

from tests.live.http.upstream import running_upstream
from tests.live.serving import serving

FILE = """
naftiko: "1.0.0-alpha3"
binds: [{{namespace: env, keys: {{TOKEN: TOKEN, URL: URL}}}}]
capability:
  consumes:
    - namespace: api
      type: http
      baseUri: "{uri}"
      authentication: {authentication}
  exposes:
    - type: rest
      namespace: rest
      port: 8080
      authentication: {{type: apikey, key: key, value: caller, placement: query}}
      resources: [{{path: "/x/{{path}}", name: x, forward: {{targetNamespace: api}}}}]
"""


def test_an_api_key_of_the_query(tmp_path: Path) -> None:
    with running_upstream() as upstream:
        file = tmp_path / "c.yaml"
        authentication = '{type: apikey, key: k, value: "{{TOKEN}}", placement: query}'
        file.write_text(FILE.format(uri=upstream.url, authentication=authentication), "utf-8")
        environment = {"TOKEN": "a b", "URL": ""}
        with serving(file, environment=environment) as found:
            answer = found.request("rest", "GET", "/x/a?key=caller&q=1")
    assert (answer.status, answer.body["query"]) == (200, "q=1&k=a%20b")


def test_an_api_without_url(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(FILE.format(uri="https://{region}/v1", authentication="{type: none}"), "utf-8")
    with serving(file, environment={"TOKEN": "t", "URL": "u"}) as found:
        answer = found.request("rest", "POST", "/x/a?key=caller", {"a": 1})
    assert (answer.status, answer.body["code"]) == (502, "unresolved-base-uri")
    assert json.dumps(answer.body)


def test_digest_is_asked_first_and_sent_then(tmp_path: Path) -> None:
    with running_upstream() as upstream:
        file = tmp_path / "c.yaml"
        authentication = '{type: digest, username: u, password: "{{TOKEN}}"}'
        file.write_text(FILE.format(uri=upstream.url, authentication=authentication), "utf-8")
        with serving(file, environment={"TOKEN": "t", "URL": "u"}) as found:
            answer = found.request("rest", "POST", "/x/a?key=caller", {"a": 1})
    assert (answer.status, answer.body["body"]) == (200, '{"a": 1}')
