"""Finds services and operations by the names people, hosts and headers use for them."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.loaders import Loader
    from botocore.model import ServiceModel

AMAZON_HOST = re.compile(
    r"(?P<labels>[a-z0-9.-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws|amazonaws\.eu)"
)
_SERVICE_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_REGION = re.compile(r"(?:[a-z]{2}|us-gov|us-iso[a-z]?|eu-isoe|eusc)(?:-[a-z]+)+-\d+")


@lru_cache(maxsize=1)
def loader() -> Loader:
    """Return the reader of botocore's data; it caches what it read."""
    from botocore.loaders import Loader

    return Loader()


@lru_cache(maxsize=1)
def service_names() -> tuple[str, ...]:
    """Return botocore's names of all services: "stepfunctions", "s3"."""
    return tuple(loader().list_available_services("service-2"))


def is_service(name: str) -> bool:
    """Tell whether botocore has a service of that name. Looks at one folder, not at all 400."""
    from botocore.exceptions import DataNotFoundError

    if not _SERVICE_NAME.fullmatch(name):
        return False  # the name becomes part of a path
    try:
        loader().determine_latest_version(name, "service-2")
    except DataNotFoundError:
        return False
    return True


@lru_cache(maxsize=64)
def service_model(service: str) -> ServiceModel:
    """Return the model of a service, by botocore's name.

    Raises: botocore's DataNotFoundError where there is none.
    """
    from botocore.model import ServiceModel

    return ServiceModel(_load(service, "service-2"), service)


@lru_cache(maxsize=64)
def paginators(service: str) -> Mapping[str, Mapping[str, object]]:
    """Return botocore's paginators of a service, by operation name."""
    from botocore.exceptions import DataNotFoundError

    try:
        data = _load(service, "paginators-1")
    except DataNotFoundError:
        return {}
    found: Mapping[str, Mapping[str, object]] = data["pagination"]
    return found


@lru_cache(maxsize=64)
def waiters(service: str) -> Mapping[str, Mapping[str, object]]:
    """Return botocore's waiters of a service, by name."""
    from botocore.exceptions import DataNotFoundError

    try:
        data = _load(service, "waiters-2")
    except DataNotFoundError:
        return {}
    found: Mapping[str, Mapping[str, object]] = data["waiters"]
    return found


def _load(service: str, kind: str) -> dict[str, Any]:
    """Return botocore's data of a service with its extras, as `Loader.load_service_model` does.

    That one looks into the folders of all services first, which takes 15 ms of a start.

    Raises: DataNotFoundError.
    """
    from botocore.exceptions import DataNotFoundError
    from botocore.loaders import ExtrasProcessor

    files = loader()
    version = files.determine_latest_version(service, kind)
    data: dict[str, Any] = files.load_data(f"{service}/{version}/{kind}")
    extras = []
    for kind_of_extras in files.extras_types:
        with suppress(DataNotFoundError):
            extras.append(files.load_data(f"{service}/{version}/{kind}.{kind_of_extras}-extras"))
    ExtrasProcessor().process(data, extras)
    return data


@lru_cache(maxsize=64)
def operation_names(service: str) -> Mapping[str, str]:
    """Return the API's operation names by kebab-case: "list-tables" -> "ListTables"."""
    return {kebab_case(name): name for name in service_model(service).operation_names}


def kebab_case(name: str) -> str:
    """Return a name as calls write it: "ListObjectsV2" -> "list-objects-v2"."""
    from botocore import xform_name

    text: str = xform_name(name, "-")
    return text


def find_service(name: str) -> str | None:
    """Return botocore's name for a service: "sfn", "StepFunctions", "states" -> "stepfunctions"."""
    lowered = name.strip().lower().replace("_", "-").replace(" ", "")
    if is_service(lowered):
        return lowered
    alias = _names()["aliases"].get(lowered) or _names()["endpointPrefixes"].get(lowered)
    return alias if alias is not None and is_service(alias) else None


def command_name(service: str) -> str:
    """Return what the AWS command line calls a service: "s3" -> "s3api"."""
    return _names()["commands"].get(service, service)


def known_names() -> tuple[str, ...]:
    """Return every name a `service` may have."""
    return (*service_names(), *_names()["aliases"])


def find_operation(service: str, name: str) -> str | None:
    """Return the API's name of an operation, given it or its kebab-case."""
    names = operation_names(service)
    if name in names:
        return names[name]
    return name if name in names.values() else None


def service_for_host(host: str) -> str | None:
    """Return the service behind an AWS host.

    "sync-states.us-east-1.amazonaws.com" -> "stepfunctions"

    None for hosts that are not AWS, or not a service API (`abc.execute-api.…`).
    """
    match = AMAZON_HOST.fullmatch(host.lower().partition(":")[0])
    if match is None:
        return None
    labels = [label for label in match["labels"].split(".") if not _REGION.fullmatch(label)]
    labels = [label.removesuffix("-fips").removeprefix("sync-") for label in labels]
    if labels[-1:] == ["dualstack"]:
        labels.pop()
    prefixes = _names()["endpointPrefixes"]
    for start in range(max(0, len(labels) - 2), len(labels)):
        prefix = ".".join(labels[start:])
        if prefix in prefixes:
            return prefixes[prefix]
        if is_service(prefix):
            return prefix
    return None


def region_for_host(host: str) -> str | None:
    """Return the region in an AWS host: "states.us-east-1.amazonaws.com" -> "us-east-1"."""
    match = AMAZON_HOST.fullmatch(host.lower().partition(":")[0])
    labels = match["labels"].split(".") if match else []
    return next((label for label in labels if _REGION.fullmatch(label)), None)


def service_for_target(target: str) -> tuple[str, str] | None:
    """Return (service, operation) of an X-Amz-Target.

    "AWSStepFunctions.ListStateMachines" -> ("stepfunctions", "ListStateMachines")
    """
    prefix, _, operation = target.rpartition(".")
    service = _names()["targetPrefixes"].get(prefix)
    if service is None or operation not in service_model(service).operation_names:
        return None
    return service, operation


@lru_cache(maxsize=1)
def _names() -> Mapping[str, dict[str, str]]:
    names: Mapping[str, dict[str, str]] = orjson.loads(
        Path(__file__).with_name("names.json").read_bytes()
    )
    return names
