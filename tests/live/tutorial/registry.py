"""A ship registry and a legacy dockyard on a loopback port, made from the tutorial's outputs.

Both ask for their credentials, so that an answer shows that the secrets arrived.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SHIPS: dict[str, dict[str, Any]] = {
    "IMO-9321483": {
        "imo_number": "IMO-9321483",
        "vessel_name": "Northern Star",
        "vessel_type": "cargo",
        "flag_code": "NO",
        "operational_status": "active",
        "year_built": 2015,
        "gross_tonnage": 42000,
        "dimensions": {"length_overall": 229.5, "beam": 32.2},
        "assignedCrew": ["CREW-003", "CREW-001", "CREW-999"],
    },
    "IMO-9456712": {
        "imo_number": "IMO-9456712",
        "vessel_name": "Süd & Ost",
        "vessel_type": "tanker",
        "flag_code": "LR",
        "operational_status": "laid_up",
        "year_built": 2008,
        "gross_tonnage": 81000,
        "dimensions": {"length_overall": 250},
        "assignedCrew": [],
    },
}
CREW = [
    {"crewId": "CREW-001", "fullName": "Ann Alvsen", "role": "captain", "age": 51},
    {"crewId": "CREW-002", "fullName": "Bo Berg", "role": "cook", "age": 33},
    {"crewId": "CREW-003", "fullName": "Cy Cole", "role": "engineer", "age": 40},
]
CARGO = [
    {
        "cargoId": "CARGO-1",
        "type": "container",
        "description": "machine parts",
        "weight": 12.5,
        "hazardous": False,
    },
    {
        "cargoId": "CARGO-2",
        "type": "bulk",
        "description": "fertiliser",
        "weight": 300,
        "hazardous": True,
    },
]
VOYAGES: dict[str, dict[str, Any]] = {
    "VOY-1": {
        "voyageId": "VOY-1",
        "shipImo": "IMO-9456712",
        "departurePort": "Oslo",
        "arrivalPort": "Rotterdam",
        "crewIds": ["CREW-002", "CREW-001"],
        "cargoIds": ["CARGO-2"],
        "status": "planned",
    }
}
LEGACY = """<?xml version="1.0" encoding="UTF-8"?>
<vessels>
  <vessel><vesselCode>V1</vesselCode><vesselName>Old Tom</vesselName><category>tug</category>
    <flagState>DE</flagState><operationalStatus>active</operationalStatus></vessel>
  <vessel><vesselCode>V2</vesselCode><vesselName>Rust &amp; Sons</vesselName>
    <category>barge</category><flagState>PL</flagState>
    <operationalStatus>scrapped</operationalStatus></vessel>
</vessels>
"""
REGISTRY = "/rest/naftiko-shipyard-maritime-registry-api/1.0.0-alpha2"
DOCKYARD = "/rest/naftiko-shipyard-legacy-dockyard-api/1.0.0-alpha2"

Answer = tuple[int, str, str]


class Registry(ThreadingHTTPServer):
    """Both APIs. `needs` are the headers that the registry asks for; `seen` the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.needs: Mapping[str, str] = {}
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        parts = urlsplit(target)
        path, query = unquote(parts.path), parse_qs(parts.query)
        if path.startswith(DOCKYARD):
            if headers.get("x-dock-key") != "dummy-dockyard-key":
                return 401, "application/json", '{"error": "no dock key"}'
            return 200, "application/xml", LEGACY
        for name, value in self.needs.items():
            if headers.get(name) != value:
                return 401, "application/json", json.dumps({"error": f"{name} is missing"})
        found = self._registry(method, path.removeprefix(REGISTRY), query, body)
        if found is None:
            return 404, "application/json", '{"error": "not found"}'
        return 201 if method == "POST" else 200, "application/json", json.dumps(found)

    def _registry(self, method: str, path: str, query: Mapping[str, list[str]], body: bytes) -> Any:
        kind, _, key = path.removeprefix("/").partition("/")
        match method, kind, key:
            case "GET", "ships", "":
                wanted = query.get("status", [""])[0]
                ships = SHIPS.values()
                return [item for item in ships if wanted in ("", item["operational_status"])]
            case "GET", "ships", _:
                return SHIPS.get(key)
            case "GET", "crew", "":
                return CREW
            case "GET", "cargo", "":
                return CARGO
            case "GET", "voyages", _:
                return VOYAGES.get(key)
            case "POST", "voyages", "":
                return {"voyageId": "VOY-2", "status": "planned"} | json.loads(body)
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Registry

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append(f"{self.command} {self.path}")
        status, kind, text = self.server.answer(self.command, self.path, headers, body)
        data = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _serve  # noqa: N815  # the standard library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # likewise
        """Keep quiet."""


@contextlib.contextmanager
def running_registry() -> Iterator[Registry]:
    """Serve until the block ends."""
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, name="registry")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)
