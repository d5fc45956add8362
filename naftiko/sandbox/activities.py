"""Activities and the tasks that workers take from them, and task tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.stepfunctions.models import Activity

from naftiko.sandbox import arns, faults, tags
from naftiko.sandbox.backend import Backend
from naftiko.sandbox.paging import page_of
from naftiko.sandbox.tasks import caller_probe

JsonObject = dict[str, Any]
Request = Mapping[str, Any]

LONGEST_POLL_S = 60.0


def create(backend: Backend, request: Request) -> JsonObject:
    """Create an activity; the same name twice is one activity."""
    name = arns.check_name(request["name"])
    arn = backend.arn("activity", name)
    encryption = request.get("encryptionConfiguration") or {"type": "AWS_OWNED_KEY"}
    with backend.lock:
        activity = backend.activities.get(arn)
        if activity is None:
            tags.apply(backend, arn, request.get("tags") or ())
            activity = Activity(arn=arn, name=name, encryption_configuration=encryption)
            backend.activities[arn] = activity
        elif activity.encryption_configuration != encryption:
            raise faults.fault("ActivityAlreadyExists", f"Activity Already Exists: '{arn}'")
        return {"activityArn": arn, "creationDate": activity.creation_date}


def describe(backend: Backend, request: Request) -> JsonObject:
    """Describe an activity."""
    activity = _activity(backend, request["activityArn"])
    return {
        "activityArn": activity.arn,
        "name": activity.name,
        "creationDate": activity.creation_date,
        "encryptionConfiguration": activity.encryption_configuration,
    }


def list_all(backend: Backend, request: Request) -> JsonObject:
    """List the activities by name."""
    with backend.lock:
        found = sorted(backend.activities.values(), key=lambda activity: str(activity.name))
    page, token = page_of(found, request, lambda activity: activity.arn)
    return {
        "activities": [
            {
                "activityArn": activity.arn,
                "name": activity.name,
                "creationDate": activity.creation_date,
            }
            for activity in page
        ],
        **token,
    }


def delete(backend: Backend, request: Request) -> JsonObject:
    """Delete an activity; one that is gone already is no error."""
    arn = arns.check_activity_arn(request["activityArn"])
    with backend.lock:
        backend.activities.pop(arn, None)
        backend.tagger.delete_all_tags_for_resource(arn)
    return {}


def get_task(backend: Backend, request: Request) -> JsonObject:
    """Take a task, waiting up to a minute for one; without one the token is null."""
    arn = _activity(backend, request["activityArn"]).arn
    task = backend.board.poll(
        arn,
        worker_name=request.get("workerName"),
        wait_s=LONGEST_POLL_S,
        is_caller_there=caller_probe.get(),
    )
    if task is None:
        return {}
    return {"taskToken": task.token, "input": task.input}


def succeed(backend: Backend, request: Request) -> JsonObject:
    """Complete a task."""
    backend.board.succeed(request["taskToken"], request["output"])
    return {}


def fail(backend: Backend, request: Request) -> JsonObject:
    """Fail a task."""
    backend.board.fail(request["taskToken"], request.get("error"), request.get("cause"))
    return {}


def beat(backend: Backend, request: Request) -> JsonObject:
    """Say that a task is still being worked on."""
    backend.board.beat(request["taskToken"])
    return {}


def _activity(backend: Backend, arn: str) -> Any:
    activity = backend.activities.get(arns.check_activity_arn(arn))
    if activity is None:
        raise faults.fault("ActivityDoesNotExist", f"Activity Does Not Exist: '{arn}'")
    return activity
