"""What all tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator

import pytest
from hypothesis import settings

# A slow machine is no failure; and CI must find today what it found yesterday.
settings.register_profile("naftiko", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("naftiko")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    """Leave an empty AWS behind: moto keeps one for the whole process, and workflows fill it."""
    yield
    folder = item.path.parent
    is_last = nextitem is None or nextitem.path.parent != folder
    is_workflow = "workflow" in str(folder.relative_to(item.config.rootpath))
    if is_last and is_workflow and "moto.core.base_backend" in sys.modules:
        from naftiko.sandbox.launch import reset_other_services

        reset_other_services()
