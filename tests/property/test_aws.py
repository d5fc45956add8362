"""Whatever callers give, or services answer: an answer or our error, never a traceback."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from naftiko.awsapi import catalog
from naftiko.consumes.aws.decoding import Decoder, timestamp_text
from naftiko.consumes.aws.encoding import Encoder, parse_moment
from naftiko.consumes.aws.rules import JsonMembers, json_members
from naftiko.consumes.aws.schema import MAX_DESCRIPTION, plain_text
from naftiko.errors import FieldError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OPERATIONS = [
    ("stepfunctions", "CreateStateMachine"),
    ("stepfunctions", "GetExecutionHistory"),
    ("stepfunctions", "TestState"),
    ("dynamodb", "PutItem"),
    ("events", "PutEvents"),
    ("kms", "Encrypt"),
    ("cloudwatch", "PutMetricData"),
]


def arguments(operation: tuple[str, str]) -> st.SearchStrategy[dict[str, Any]]:
    model = catalog.service_model(operation[0]).operation_model(operation[1])
    assert model.input_shape is not None
    return st.dictionaries(st.sampled_from(list(model.input_shape.members)), JSON)


@settings(max_examples=200)
@given(st.sampled_from(OPERATIONS).flatmap(lambda op: st.tuples(st.just(op), arguments(op))))
def test_any_arguments_are_encoded_or_named_as_wrong(
    case: tuple[tuple[str, str], dict[str, Any]],
) -> None:
    (service, operation), values = case
    model = catalog.service_model(service).operation_model(operation)
    before = repr(values)
    for wire in (True, False):
        encode = Encoder(json_members(service), wire=wire).encoder(model.input_shape)
        errors: list[FieldError] = []
        if encode is not None:
            encode(values, "", errors)
        assert all(error.name and error.message for error in errors)
        assert repr(values) == before


@settings(max_examples=200)
@given(st.sampled_from(OPERATIONS), JSON)
def test_any_answer_is_decoded(operation: tuple[str, str], answer: Any) -> None:
    model = catalog.service_model(operation[0]).operation_model(operation[1])
    if model.output_shape is None:
        return
    members = list(model.output_shape.members)
    decode = Decoder().decoder(model.output_shape)
    assert decode is not None
    decode(answer)
    decode(dict.fromkeys(members, answer))


@given(st.integers(0, 253402300798), st.integers(0, 999_999))
def test_points_in_time_are_written_as_datetime_does(seconds: int, micros: int) -> None:
    value = (seconds * 1_000_000 + micros) / 1_000_000
    text = timestamp_text(value)
    assert isinstance(text, str)
    # A double holds microseconds for some 200 years from 1970, and is near them after.
    assert abs(datetime.fromisoformat(text).timestamp() - value) <= max(1e-6, math.ulp(value))
    if seconds < 7_000_000_000:
        assert datetime.fromisoformat(text) == datetime.fromtimestamp(value, UTC)


@given(JSON)
def test_any_value_is_a_point_in_time_or_none(value: Any) -> None:
    moment = parse_moment(value)
    assert moment is None or moment.tzinfo is UTC
    timestamp_text(value)


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.timezones()))
def test_iso_texts_are_read_back(moment: datetime) -> None:
    read = parse_moment(moment.isoformat())
    assert read is not None
    # Not `==`: between zones it is false in the hour that a clock repeats or leaves out.
    assert read.timestamp() == datetime.fromisoformat(moment.isoformat()).timestamp()


@given(st.text(alphabet=st.sampled_from("<p>/i& ;.ATx\n\t#0")))
def test_descriptions_are_one_short_line(documentation: str) -> None:
    text = plain_text(documentation)
    assert len(text) <= MAX_DESCRIPTION
    assert "\n" not in text


@given(JSON.filter(lambda value: isinstance(value, dict | list)))
def test_json_parameters_arrive_as_the_same_json(value: Any) -> None:
    model = catalog.service_model("stepfunctions").operation_model("StartExecution")
    encode = Encoder(JsonMembers({}, ("input",)), wire=True).encoder(model.input_shape)
    assert encode is not None
    errors: list[FieldError] = []
    sent: Any = encode({"input": value}, "", errors)
    if not errors:
        expected = json.loads(json.dumps(value), parse_constant=lambda _: None)
        assert json.loads(sent["input"]) == expected
