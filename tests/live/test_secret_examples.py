"""The example files of the guides on authentication and secrets, served and called."""

from __future__ import annotations

import asyncio

from tests.case_files import ROOT
from tests.live.http.test_digest import PASSWORD, USER, Realm
from tests.live.http.test_oauth2 import Server
from tests.live.http.upstream import running_upstream
from tests.live.peers import running_app
from tests.live.serving import serving
from tests.live.test_binds_vault import TOKEN, Vault

EXAMPLES = ROOT / "docs/examples"


def test_authentication() -> None:
    orders, camera = Server(), Realm()
    with running_app(orders) as orders.port, running_app(camera) as camera.port:
        environment = {
            "ORDERS_URL": orders.url,
            "ORDERS_TOKEN_URL": f"{orders.url}/token",
            "ORDERS_CLIENT_ID": "office",
            "ORDERS_CLIENT_SECRET": "canary-secret",
            "CAMERA_URL": camera.url,
            "CAMERA_USER": USER,
            "CAMERA_PASSWORD": PASSWORD,
        }
        with serving(EXAMPLES / "authentication.yaml", environment=environment) as served:
            for number in ("1", "2"):
                answer = served.request("office", "GET", f"/orders/{number}")
                assert answer.body == {"path": f"/api/orders/{number}", "body": ""}
            assert served.request("office", "GET", "/camera").body["user"] == USER
    assert [form["scope"] for form in orders.forms] == ["orders.read"]
    assert orders.seen == ["Bearer token-1"] * 2


def test_secrets() -> None:
    vault = Vault()
    with running_app(vault) as vault.port, running_upstream() as upstream:
        vault.secrets = {"kv2/team/app": {"token": "first-token", "callers": "first-caller"}}
        environment = {
            "ORDERS_URL": upstream.url,
            "VAULT_ADDR": vault.url,
            "VAULT_TOKEN": TOKEN,
        }
        with serving(EXAMPLES / "secrets.yaml", environment=environment) as served:
            for turn, other in (("first", "second"), ("second", "first")):
                vault.secrets["kv2/team/app"] = {
                    "token": f"{turn}-token",
                    "callers": f"{turn}-caller",
                }
                asyncio.run(served.capability.refresh())
                answer = served.request(
                    "office", "GET", "/orders/7", authorization=f"Bearer {turn}-caller"
                )
                assert answer.status == 200
                assert upstream.last["headers"]["authorization"] == f"Bearer {turn}-token"
                refused = served.request(
                    "office", "GET", "/orders/7", authorization=f"Bearer {other}-caller"
                )
                assert refused.status == 401
