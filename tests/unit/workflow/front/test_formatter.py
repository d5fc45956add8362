from __future__ import annotations

from pathlib import Path

import pytest

from naftiko.errors import DocumentError
from naftiko.workflow.source.formatter import format_source
from tests.unit.workflow.front.sources import HEAD, STEP, VALID, bare, parsed

UNTIDY = """\
# licence

# what it is for
description: >   # folded
   Lists the buckets


   of the account
name: case   # its name
steps:   # all of them
# the first
- type: command   # kind
  # about the id
  id: list
  context: {action: list_buckets,   service: "s3", x:[1,2 ], y: }
  intent: "list the buckets
     of the \\
     account"
  # the end of list

- id: get
  context:
    # which
    service: s3
    action: get_object
    text: |+
        a
           b

    list: [a, # one
        b,
        # two
        c
        # end
        ] # closed
  depends_on:
  - list
    # deep
  # the end of get
# about metadata

metadata:
   max_steps: 4
   tier:
      # odd
      verified
version: '1.0'
# the end
"""
TIDY = """\
# licence

name: case  # its name
version: '1.0'
# what it is for
description: >  # folded
  Lists the buckets


  of the account

# about metadata

metadata:
  # odd
  tier: verified
  max_steps: 4

steps:  # all of them
  # the first
  # about the id
  - id: list
    type: command  # kind
    intent: "list the buckets
      of the \\
      account"
    context: {action: list_buckets, service: "s3", x: [1, 2], y: null}
    # the end of list

  - id: get
    context:
      # which
      service: s3
      action: get_object
      text: |+
        a
           b

      list:
        - a  # one
        - b
        # two
        - c
        # end
      # closed
    depends_on:
      - list
      # deep
      # the end of get
# the end
"""


def test_untidy_becomes_tidy() -> None:
    assert format_source(UNTIDY.replace(" x:[1,2 ]", ' "x":[1,2 ]')) == TIDY.replace(" x:", ' "x":')


def test_tidy_stays() -> None:
    assert format_source(TIDY) == TIDY


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_formatted_source_means_the_same(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    written = format_source(text)

    assert bare(parsed(written)) == bare(parsed(text))
    assert format_source(written) == written


def test_line_ends_and_byte_order_marks_go() -> None:
    text = HEAD + "\n" + STEP

    assert format_source("\ufeff" + text.replace("\n", "\r\n")) == text


def test_json_becomes_yaml() -> None:
    assert format_source('{\n  "version": "1.0",\n  "name": "a"\n}\n') == (
        '"name": "a"\n"version": "1.0"\n'
    )


def test_comments_alone_stay_where_they_are() -> None:
    text = "# one\n\n# two\nname: a  # three\n# four\n"

    assert format_source(text) == text


def test_a_literal_that_begins_with_blanks_keeps_them() -> None:
    text = "name: a\noutputs:\n   a: |4\n        x\n       y\n"

    assert format_source(text) == "name: a\n\noutputs:\n  a: |2\n     x\n    y\n"


def test_what_is_no_document_is_refused() -> None:
    with pytest.raises(DocumentError) as caught:
        format_source("a: &x 1\n")

    assert [problem.code for problem in caught.value.problems] == ["WF103"]


def test_what_cannot_be_kept_is_left_alone() -> None:
    text = '? "a\n   b"\n: 1\nc:   2\n'

    assert format_source(text) == text
