"""Tags of state machines and activities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from naftiko.sandbox import faults
from naftiko.sandbox.backend import Backend

JsonObject = dict[str, Any]
Request = Mapping[str, Any]

MOST_TAGS = 50


def tag(backend: Backend, request: Request) -> JsonObject:
    """Add tags to a resource, or change them."""
    with backend.lock:
        apply(backend, _existing(backend, request["resourceArn"]), request["tags"])
    return {}


def untag(backend: Backend, request: Request) -> JsonObject:
    """Remove tags; those that are not there are no error."""
    with backend.lock:
        arn = _existing(backend, request["resourceArn"])
        backend.tagger.untag_resource_using_names(arn, request["tagKeys"])
    return {}


def list_all(backend: Backend, request: Request) -> JsonObject:
    """List the tags of a resource."""
    with backend.lock:
        arn = _existing(backend, request["resourceArn"])
        return dict(backend.tagger.list_tags_for_resource(arn))


def apply(backend: Backend, arn: str, added: Iterable[Mapping[str, str]]) -> None:
    """Put tags on a resource.

    Raises: ValidationException for a tag without a key; TooManyTags.
    """
    new = [dict(each) for each in added]
    if not all(each.get("key") for each in new):
        raise faults.fault("ValidationException", "A tag must have a key")
    kept = backend.tagger.get_tag_dict_for_resource(arn)
    if len(kept.keys() | {each.get("key") for each in new}) > MOST_TAGS:
        raise faults.fault("TooManyTags", f"Too many tags: '{arn}'", resourceName=arn)
    if new:
        backend.tagger.tag_resource(arn, new)


def _existing(backend: Backend, arn: str) -> str:
    if arn in backend.activities or any(each.arn == arn for each in backend.state_machines):
        return arn
    raise faults.no_such_resource(arn)
