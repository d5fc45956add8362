"""A source that is wrong everywhere does not keep the compiler busy."""

from __future__ import annotations

from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.lowering.lowering import MAX_ERRORS

HEAD = 'name: wrong\nversion: "1.0"\ndescription: "Is wrong in every step"\nsteps:\n'


def test_so_many_errors_are_enough() -> None:
    steps = "".join(
        f"  - {{id: s{n}, type: command, context: {{service: s3, action: list_bukets{n}}}}}\n"
        for n in range(MAX_ERRORS + 20)
    )
    found = compile_source(HEAD + steps, "wrong", load_data())
    assert found.plan is None
    assert [one.code for one in found.problems].count("WF301") == MAX_ERRORS
