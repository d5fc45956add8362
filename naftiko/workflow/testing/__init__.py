"""Tests of workflows: `tests.yaml` read, checked against a plan, and run. Spec: section 12.

```python
problems = Problems()
cases = parse_tests(path.read_bytes(), str(path), problems)
check_cases(cases, plan, problems)
report = await run_tests(plan, cases, World(call=call, reset=reset))
assert report.passed, report.failures
```
"""

from naftiko.workflow.testing.cases import Case
from naftiko.workflow.testing.checks import check_cases
from naftiko.workflow.testing.report import Coverage, Outcome, Report
from naftiko.workflow.testing.running import World, run_case, run_tests
from naftiko.workflow.testing.schema import parse_tests

__all__ = [
    "Case",
    "Coverage",
    "Outcome",
    "Report",
    "World",
    "check_cases",
    "parse_tests",
    "run_case",
    "run_tests",
]
