"""Server adapter of `type: control`."""

from naftiko.exposes.control.app import control_app
from naftiko.exposes.control.reports import States

__all__ = ["States", "control_app"]
