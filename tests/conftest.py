"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# A slow machine is no failure; and CI must find today what it found yesterday.
settings.register_profile("naftiko", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("naftiko")
