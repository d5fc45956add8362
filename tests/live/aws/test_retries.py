"""What is repeated, and what is not."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from email.utils import formatdate
from time import time
from typing import Any

import pytest
from starlette.responses import Response

from naftiko.consumes.aws import AwsSettings
from naftiko.consumes.aws.faults import Fault
from naftiko.errors import ConsumedError, RunError
from tests.live.aws.support import Seen, Upstream, call, environment, fails, says, service

ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
STARTED = {"executionArn": "arn:x", "startDate": 1}


def ask(aws: Upstream, operation: str, **arguments: Any) -> Any:
    return call(service("stepfunctions", environment(aws.url)), operation, **arguments).value


def test_a_throttled_write_is_repeated(aws: Upstream) -> None:
    aws.program(fails("ThrottlingException"), says(STARTED))
    assert ask(aws, "start-execution", stateMachineArn=ARN)["executionArn"] == "arn:x"
    assert len(aws.seen) == 2


def test_a_read_is_repeated_after_a_500(aws: Upstream) -> None:
    aws.program(fails("Internal", 500), fails("Internal", 503), says({"activities": []}))
    assert ask(aws, "list-activities") == {"activities": []}
    assert len(aws.seen) == 3


def test_attempts_are_limited(aws: Upstream) -> None:
    aws.program(fails("Internal", 500))
    with pytest.raises(ConsumedError) as caught:
        ask(aws, "list-activities")
    assert caught.value.retryable
    assert len(aws.seen) == 3


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2)])
def test_the_entry_says_how_often(aws: Upstream, retries: int, attempts: int) -> None:
    aws.program(fails("Internal", 500))
    with pytest.raises(ConsumedError):
        call(
            service("stepfunctions", environment(aws.url), AwsSettings(retries=retries)),
            "list-activities",
        )
    assert len(aws.seen) == attempts


def test_a_write_is_not_repeated_after_a_500(aws: Upstream) -> None:
    aws.program(fails("Internal", 500), says(STARTED))
    with pytest.raises(ConsumedError) as caught:
        ask(aws, "start-execution", stateMachineArn=ARN)
    assert len(aws.seen) == 1
    assert not caught.value.retryable
    assert "look before you call again" in caught.value.hint


def test_a_named_start_is_repeated_after_a_500(aws: Upstream) -> None:
    aws.program(fails("Internal", 500), says(STARTED))
    ask(aws, "start-execution", stateMachineArn=ARN, name="once")
    assert len(aws.seen) == 2


def test_an_idempotency_token_is_made_and_kept_for_the_repetition(aws: Upstream) -> None:
    aws.program(fails("Internal", 500), says({"ARN": "arn:s"}))
    call(
        service("secretsmanager", environment(aws.url)),
        "create-secret",
        Name="n",
        SecretString={"user": "u"},
    )
    first, second = (seen.json for seen in aws.seen)
    assert first == second
    assert len(first["ClientRequestToken"]) == 36
    assert first["SecretString"] == '{"user":"u"}'


def test_a_refusal_is_not_repeated(aws: Upstream) -> None:
    aws.program(fails("ValidationException", 400))
    with pytest.raises(ConsumedError):
        ask(aws, "list-activities")
    assert len(aws.seen) == 1


def test_nothing_is_repeated_past_the_budget(aws: Upstream) -> None:
    aws.program(fails("Internal", 500))
    using = service("stepfunctions", environment(aws.url))
    failure = Fault(status=500, code="Internal", message="")
    while using.retries.spend(failure):
        """Others have failed so often."""
    with pytest.raises(ConsumedError):
        call(using, "list-activities")
    assert len(aws.seen) == 1


@contextlib.contextmanager
def breaking(times: int) -> Iterator[tuple[str, list[bytes]]]:
    """Close the first connections after reading a request, then answer."""
    seen: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    seen.append(connection.recv(65536))
                    if len(seen) > times:
                        body = b'{"executionArn": "arn:x", "startDate": 1}'
                        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
                        connection.sendall(head.encode() + body)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def test_a_broken_connection_is_repeated_for_reads_and_named_starts_only() -> None:
    with breaking(1) as (url, seen):
        using = service("stepfunctions", environment(url))
        call(using, "start-execution", stateMachineArn=ARN, name="once")
        assert len(seen) == 2
    with breaking(1) as (url, seen):
        with pytest.raises(RunError) as caught:
            call(service("stepfunctions", environment(url)), "start-execution", stateMachineArn=ARN)
        assert caught.value.code == "unreachable"
        assert len(seen) == 1


def test_a_refused_connection_is_tried_again_even_for_writes() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    using = service("stepfunctions", environment(url))
    with pytest.raises(ConsumedError):
        call(using, "start-execution", stateMachineArn=ARN)
    quota = using.retries._quota
    assert quota is not None
    assert quota.available_capacity < 500


def test_a_wrong_clock_is_corrected_once(aws: Upstream) -> None:
    ahead = formatdate(time() + 3600, usegmt=True)
    aws.program(
        fails("InvalidSignatureException", 403, "Signature expired", Date=ahead),
        says({"activities": []}),
    )
    using = service("stepfunctions", environment(aws.url, AWS_MAX_ATTEMPTS="1"))
    call(using, "list-activities")
    first, second = (seen.headers["x-amz-date"] for seen in aws.seen)
    assert second > first


def test_a_wrong_signature_with_a_right_clock_is_not_repeated(aws: Upstream) -> None:
    now = formatdate(time(), usegmt=True)
    aws.program(fails("InvalidSignatureException", 403, "wrong key", Date=now))
    with pytest.raises(ConsumedError) as caught:
        ask(aws, "list-activities")
    assert caught.value.code == "aws-credentials"
    assert len(aws.seen) == 1


def test_other_protocols_repeat_alike(aws: Upstream) -> None:
    body = (
        b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account>"
        b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )

    def ok(_: Seen) -> Response:
        return Response(body, 200, {}, "text/xml")

    aws.program(lambda _: Response(b"", 503), ok)
    value = call(service("sts", environment(aws.url)), "get-caller-identity").value
    assert value == {"Account": "1"}
    assert len(aws.seen) == 2
