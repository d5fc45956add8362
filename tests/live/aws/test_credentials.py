"""The default chain: profiles, processes, containers, roles; renewed off the loop, once for all."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, Response

from naftiko.consumes.aws import AwsService, AwsSettings
from naftiko.errors import ConsumedError
from naftiko.plan.masking import Masker
from naftiko.plan.run import Run
from tests.live.aws.support import (
    KEYS,
    QUIET,
    Seen,
    Upstream,
    call,
    context,
    environment,
    fails,
    run,
    says,
    service,
)


def credential(seen: Seen) -> str:
    return seen.headers["authorization"].partition("Credential=")[2].partition("/")[0]


def config(folder: Path, text: str) -> dict[str, str]:
    path = folder / "config"
    path.write_text(text, encoding="utf-8")
    return {**QUIET, "AWS_CONFIG_FILE": str(path)}


def test_a_profile_gives_keys_region_and_endpoint(aws: Upstream, tmp_path: Path) -> None:
    text = f"""[profile work]
aws_access_key_id = AKIAPROFILE
aws_secret_access_key = profile-secret
region = eu-north-1
services = local
max_attempts = 1
[services local]
sfn =
  endpoint_url = {aws.url}
"""
    variables = config(tmp_path, text)
    del variables["AWS_REGION"]
    aws.program(says({"activities": []}))
    call(service("stepfunctions", {**variables, "AWS_PROFILE": "work"}), "list-activities")
    assert credential(aws.seen[0]) == "AKIAPROFILE"
    assert "/eu-north-1/" in aws.seen[0].headers["authorization"]
    # A profile named by the entry wins over keys in the environment.
    using = service("stepfunctions", {**variables, **KEYS}, AwsSettings(profile="work"))
    assert using.retries.attempts == 1
    call(using, "list-activities")
    assert credential(aws.seen[1]) == "AKIAPROFILE"


def test_a_profile_that_is_not_there(aws: Upstream, tmp_path: Path) -> None:
    variables = config(tmp_path, "[profile work]\n") | {"AWS_ENDPOINT_URL": aws.url}
    with pytest.raises(ConsumedError) as caught:
        call(service("stepfunctions", variables, AwsSettings(profile="other")), "list-activities")
    assert caught.value.code == "aws-credentials"
    assert "`other` does not exist" in caught.value.message


def test_an_sso_session_that_ended_says_how_to_sign_in(aws: Upstream, tmp_path: Path) -> None:
    text = """[profile sso]
sso_session = s
sso_account_id = 1
sso_role_name = r
[sso-session s]
sso_region = us-east-1
sso_start_url = https://sso.invalid/start
"""
    variables = config(tmp_path, text) | {"AWS_ENDPOINT_URL": aws.url}
    with pytest.raises(ConsumedError) as caught:
        call(service("stepfunctions", variables, AwsSettings(profile="sso")), "list-activities")
    assert caught.value.code == "aws-credentials"
    assert "aws sso login --profile sso" in caught.value.hint


def process(folder: Path, lifetime_s: int) -> tuple[dict[str, str], Path]:
    """Return a profile whose keys come from a program that counts its runs."""
    count = folder / "count"
    script = folder / "keys.py"
    expires = (datetime.now(UTC) + timedelta(seconds=lifetime_s)).isoformat()
    script.write_text(
        "import json, pathlib, time\n"
        f"path = pathlib.Path({str(count)!r})\n"
        "n = int(path.read_text()) + 1 if path.exists() else 1\n"
        "path.write_text(str(n))\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'AKIAPROCESS{n}',"
        f" 'SecretAccessKey': 'process-secret', 'Expiration': {expires!r}}}))\n",
        encoding="utf-8",
    )
    variables = config(
        folder, f"[profile p]\ncredential_process = {sys.executable} {script}\nregion = us-east-1\n"
    )
    return variables | {"AWS_PROFILE": "p"}, count


def test_many_calls_share_one_look_up(aws: Upstream, tmp_path: Path) -> None:
    variables, count = process(tmp_path, 3600)
    aws.program(says({"activities": []}))
    masker = Masker()
    given = context({**variables, "AWS_ENDPOINT_URL": aws.url})
    using = AwsService("stepfunctions", AwsSettings(), given)
    using.credentials._add_secret = masker.add

    async def work() -> None:
        operation = using.operation("list-activities")
        assert operation is not None
        await asyncio.gather(*(operation.call({}, Run(inputs={})) for _ in range(20)))
        await using.close()

    run(work())
    run(work())  # a second event loop
    assert count.read_text() == "1"
    assert {credential(seen) for seen in aws.seen} == {"AKIAPROCESS1"}
    assert masker("key process-secret of AKIAPROCESS1") == "key *** of ***"


def test_expired_keys_are_looked_up_again_once(aws: Upstream, tmp_path: Path) -> None:
    variables, count = process(tmp_path, 3600)
    aws.program(fails("ExpiredTokenException"), says({"activities": []}))
    using = service("stepfunctions", {**variables, "AWS_ENDPOINT_URL": aws.url})
    call(using, "list-activities")
    assert count.read_text() == "2"
    assert [credential(seen) for seen in aws.seen] == ["AKIAPROCESS1", "AKIAPROCESS2"]


def test_keys_are_renewed_before_they_end(aws: Upstream, tmp_path: Path) -> None:
    variables, count = process(tmp_path, 3600)
    aws.program(says({"activities": []}))
    using = service("stepfunctions", {**variables, "AWS_ENDPOINT_URL": aws.url})
    call(using, "list-activities")
    source = using.credentials
    source._check_at = time.monotonic() - 1  # a minute went by
    call(using, "list-activities")
    assert count.read_text() == "1"
    assert source._credentials is not None
    source._credentials._expiry_time = datetime.now(UTC) + timedelta(seconds=60)
    source._check_at = time.monotonic() - 1
    call(using, "list-activities")
    assert count.read_text() == "2"
    assert credential(aws.seen[-1]) == "AKIAPROCESS2"


def test_a_container_gives_keys(aws: Upstream) -> None:
    expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    answer = {"AccessKeyId": "AKIACONTAINER", "SecretAccessKey": "s", "Token": "t"}

    def keys(_: Seen) -> Response:
        return JSONResponse({**answer, "Expiration": expires})

    aws.program(keys, says({"activities": []}))
    variables = {
        **QUIET,
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{aws.url}/keys",
    }
    call(service("stepfunctions", variables), "list-activities")
    assert credential(aws.seen[-1]) == "AKIACONTAINER"
    assert aws.seen[-1].headers["x-amz-security-token"] == "t"


def test_a_role_that_cannot_be_assumed(aws: Upstream) -> None:
    body = (
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
        b"</ErrorResponse>"
    )
    aws.program(lambda _: Response(body, 403, {}, "text/xml"))
    settings = AwsSettings(role_arn="arn:aws:iam::123456789012:role/x")
    with pytest.raises(ConsumedError) as caught:
        call(service("stepfunctions", environment(aws.url), settings), "list-activities")
    assert caught.value.code == "aws-credentials"
    assert "not you" in caught.value.message
    assert json.dumps(caught.value.details)


def test_operations_without_authentication_need_no_keys(aws: Upstream) -> None:
    aws.program(says({}))
    variables = {**QUIET, "AWS_ENDPOINT_URL": aws.url}
    using = service("cognito-idp", variables)
    call(using, "initiate-auth", AuthFlow="USER_PASSWORD_AUTH", ClientId="c")
    assert "authorization" not in aws.seen[0].headers
