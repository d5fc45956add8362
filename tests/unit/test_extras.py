"""What is said where an extra is missing."""

from __future__ import annotations

import pytest

from naftiko.extras import require_extra


@pytest.mark.parametrize("module", ["no_such_module_here", "no_such_package_here.part"])
def test_a_missing_module_says_how_to_install_it(module: str) -> None:
    assert require_extra("xml", module) == "install it with `pip install 'naftiko[xml]'`"


def test_a_module_that_is_there_says_nothing() -> None:
    assert require_extra("oauth2", "json") is None
