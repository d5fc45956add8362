"""How a workflow gets into a catalog: submitted, checked, reviewed, published. Spec: section 12.

All of it is files, so that a Git repository is enough: contributors, reviewers and maintainers each
commit what they have written. Nothing that can be computed again is believed.
"""
