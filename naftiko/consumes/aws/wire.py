"""What sends an operation's calls: arguments -> a signed request, and its answer -> a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from naftiko.consumes.aws.faults import Fault
    from naftiko.consumes.aws.signing import AwsKeys, Clock
    from naftiko.consumes.transport import HttpResponse
    from naftiko.errors import FieldError
    from naftiko.values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What goes to the transport."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes


class PreparedCall(Protocol):
    """One call, serialized once; it is signed for each attempt."""

    def request(self, keys: AwsKeys | None) -> SignedRequest:
        """Return the request to send now, signed with the keys (None where it is not signed)."""
        ...

    def result(self, response: HttpResponse) -> JsonObject:
        """Read an answer below 300.

        Raises: ShapingError.
        """
        ...

    def fault(self, response: HttpResponse) -> Fault:
        """Read a refusal."""
        ...


class Wire(Protocol):
    """The protocol of one operation."""

    @property
    def ready(self) -> bool:
        """Whether `prepare` needs no slow work before."""
        ...

    def get_ready(self) -> None:
        """Do the slow work; blocks.

        Raises: ConsumedError.
        """
        ...

    @property
    def clock(self) -> Clock | None:
        """The clock it signs by, None where that cannot be corrected."""
        ...

    @property
    def signed(self) -> bool:
        """Whether its calls need credentials."""
        ...

    def prepare(self, arguments: Mapping[str, JsonValue]) -> PreparedCall:
        """Serialize the arguments.

        Raises: InputError (what cannot be sent), ConsumedError (no endpoint).
        """
        ...

    def check(self, arguments: Mapping[str, JsonValue]) -> list[FieldError]:
        """Return what is wrong that no schema can tell: in JSON texts, base64, times."""
        ...

    def explain(self) -> list[str]:
        """Say what is sent, and where."""
        ...
