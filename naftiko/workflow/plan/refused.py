"""Why a plan may not run."""

from __future__ import annotations

from naftiko.errors import NaftikoError


class IntegrityError(NaftikoError):
    """A plan, its signatures or the trust data are not what they should be; `reason` says why."""

    def __init__(self, reason: str, *, hint: str = "") -> None:
        """Keep what is wrong and the way out."""
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class PlanDrift(IntegrityError):  # noqa: N818 - the name results carry (spec, section 6.11)
    """The installed botocore lacks something that the plan names: `gone` lists all of it."""

    def __init__(self, gone: tuple[str, ...], *, compiled_with: str, installed: str) -> None:
        """("rds CreateDBSnapshot.Foo",) -> what is told."""
        shown = ", ".join(f"`{name}`" for name in gone[:10])
        more = f" and {len(gone) - 10} more" if len(gone) > 10 else ""
        super().__init__(
            f"botocore {installed} does not have {shown}{more}, which the plan names",
            hint=f"the plan was compiled with botocore {compiled_with}: compile it again",
        )
        self.gone = gone
