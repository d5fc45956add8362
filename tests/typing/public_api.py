"""What an embedding program may rely on, held by the type checker (`make check`); never run."""

from __future__ import annotations

from typing import Any, assert_type

import naftiko
from naftiko import (
    Capability,
    ConsumedError,
    FieldError,
    InputError,
    Problem,
    Result,
    RunError,
    ServeOptions,
    SpecError,
    StartError,
)


def quote(sku: str, count: int = 1) -> dict[str, object]:
    return {"sku": sku, "count": count}


def loads() -> Capability:
    capability = naftiko.load(
        "file.yaml",
        environment={"A": "b"},
        env_file=".env",
        workspace=".",
        strict=True,
        read_only=True,
        functions={"pricing.quote": quote},
    )
    assert_type(capability, Capability)
    assert_type(capability.problems, tuple[Problem, ...])
    return capability


async def calls(capability: Capability) -> None:
    assert_type(await capability.call("a.b", {"x": 1}), Any)
    result = await capability.run("a.b")
    assert_type(result, Result)
    assert_type(result.status, int)
    assert_type(result.failed, bool)
    async with capability as entered:
        assert_type(entered, Capability)


def serves(capability: Capability) -> None:
    options = ServeOptions(host="127.0.0.1", ports={"api": 0}, only=["api"], insecure=False)
    naftiko.serve(capability, options=options)
    with capability as entered:
        assert_type(entered, Capability)


def catches() -> None:
    try:
        loads()
    except SpecError as error:
        assert_type(error.problems, tuple[Problem, ...])
    except InputError as error:
        assert_type(error.fields, tuple[FieldError, ...])
    except (ConsumedError, RunError) as error:
        assert_type(error.status, int)
        assert_type(error.retry_after_s, float | None)
    except StartError as error:
        assert_type(error.hint, str)
