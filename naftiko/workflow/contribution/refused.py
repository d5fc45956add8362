"""Why a step of the contribution pipeline does not happen."""

from __future__ import annotations

from naftiko.errors import NaftikoError
from naftiko.values import JsonObject
from naftiko.workflow.contribution.findings import Finding
from naftiko.workflow.view import visible


def one_line(text: str) -> str:
    r"""Return a text that cannot pass for several lines: `\u{a}` where one ends."""
    return visible(text).replace("\n", "\\u{a}")


class Refused(NaftikoError):  # noqa: N818 - what becomes of a request
    """A step is refused. `code` is one of `codes.CODES`, `reason` and `hint` are for people.

    `findings` say more, where there is more than one thing wrong.
    """

    def __init__(
        self, code: str, reason: str, *, hint: str = "", findings: tuple[Finding, ...] = ()
    ) -> None:
        """Keep what is wrong and the way out."""
        super().__init__(f"{code}: {one_line(reason)}")
        self.code = code
        self.reason = one_line(reason)
        self.hint = one_line(hint)
        self.findings = findings

    def to_json(self) -> JsonObject:
        """Return it for programs."""
        return {
            "code": self.code,
            "message": self.reason,
            "hint": self.hint,
            "findings": [one.to_json() for one in self.findings],
        }
