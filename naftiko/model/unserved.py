"""Members of the language that this engine does not serve yet: each is named, none is dropped."""

from __future__ import annotations

from naftiko.errors import Problems
from naftiko.model.fields import Fields


def warn_consumes(api: Fields, problems: Problems) -> None:
    """Name what is not served of a consumed HTTP API."""
    _refuse_tunnel(api, problems)


def _refuse_tunnel(api: Fields, problems: Problems) -> None:
    """A call that is meant for a tunnel must not go out over the open network."""
    tunnel = api.fields("tunnel")
    if tunnel is None:
        return
    if tunnel.text("fallback") == "direct":
        problems.warn(
            "unsupported-tunnel",
            "tunnels are not served by this version; calls go out directly, as `fallback` allows",
            tunnel.location,
        )
        return
    problems.error(
        "unsupported-tunnel",
        "tunnels are not served by this version, and without one no call may go out",
        tunnel.location,
        "remove `tunnel`, or write `fallback: direct`",
    )
