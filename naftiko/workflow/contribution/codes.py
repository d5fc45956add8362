"""The codes of gates, reviews and publication, beside those of the compiler. Stage 9."""

from __future__ import annotations

from naftiko.errors import Severity
from naftiko.workflow.diagnostics import Code

STAGE = 9

_ROWS: tuple[tuple[str, str, str], ...] = (
    ("WF901", "parameter without description", "Who runs it sees the parameter, not the source."),
    ("WF902", "too few use cases", "At least three, or the search does not find it."),
    ("WF903", "no README of substance", "At least twenty words that say what it does and leaves."),
    ("WF904", "no author", "`metadata.author` names who answers for it, and who may not review."),
    ("WF911", "compiling takes too long", "A workflow compiles in 30 seconds."),
    ("WF912", "too many calls", "The calls that its caps allow are more than its tier may make."),
    ("WF913", "waits longer than it may run", "Its waits alone exceed `metadata.max_duration`."),
    ("WF921", "text that gives orders", "Catalog texts reach models; they describe."),
    ("WF922", "hidden characters", "What a reviewer cannot see, nobody has reviewed."),
    ("WF931", "test fails", "Every test has to pass."),
    ("WF932", "no test of success", "At least one test expects `succeeded`."),
    ("WF933", "no test of failure", "At least one test expects a failure."),
    ("WF934", "rollback without a test", "Every rollback handler runs in some test."),
    ("WF935", "step without a test", "Every step runs in some test."),
    ("WF936", "test does not end", "A test makes few calls and takes seconds."),
    ("WF937", "no tests", "`tests.yaml` is missing, or holds none that can be run."),
    ("WF941", "same as another workflow", "The plan does what a published one does."),
    ("WF951", "not what was reviewed", "A file has changed since; what was said of it is void."),
    ("WF952", "not trusted as a reviewer", "`trust/reviewers.json` gives keys their roles."),
    ("WF953", "key outside its time", "The key has not begun to be valid, or has ceased to be."),
    ("WF954", "key revoked", "What a revoked key has signed does not count."),
    ("WF955", "signature is not valid", "The statement is not what the key has signed."),
    ("WF956", "author's own review", "Nobody reviews what they have written."),
    ("WF957", "key counted once", "Two names or roles of one key, or keys of one name, are one."),
    ("WF958", "checklist not complete", "An approval answers yes to every point."),
    ("WF959", "changes requested", "A counted reviewer has asked for changes, or rejected it."),
    ("WF960", "reviews are missing", "The tier asks for more approvals."),
    ("WF961", "audit is missing", "Full audit and penetration test, signed by an auditor."),
    ("WF962", "key may not publish", "A publisher's key is trusted for tiers."),
    ("WF963", "version is there", "A published version never changes."),
    ("WF964", "not in this state", "Each step follows from the one before."),
    ("WF965", "path or name out of bounds", "Names keep their form; no link leads elsewhere."),
    ("WF966", "broken record", "A file of the submission is not what the pipeline writes."),
    ("WF967", "gate failed", "A submission whose gates fail is not reviewed."),
)

CODES: dict[str, Code] = {
    code: Code(code, STAGE, Severity.ERROR, title, explanation)
    for code, title, explanation in _ROWS
}
"""Every code of this package, in order."""
