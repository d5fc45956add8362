"""`exposes: rest`: a RestAdapterPlan served as an ASGI app."""

from __future__ import annotations

from naftiko.exposes.rest.adapter import RestOptions, rest_app

__all__ = ["RestOptions", "rest_app"]
