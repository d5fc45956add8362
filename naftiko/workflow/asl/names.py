"""What Step Functions calls AWS's services, operations, members and errors.

Its SDK integrations are built on the AWS SDK for Java 2.x and use that SDK's names with a capital:
`DBInstance` is `DbInstance` there, `VPCSecurityGroups` `VpcSecurityGroups`, `MultiAZ` and `ETag`
stay, `clusterArn` is `ClusterArn`. The rules below are those of the SDK's code generator (package
`software.amazon.awssdk.codegen`, DefaultNamingStrategy and Utils; CodegenNamingUtils): a member's
name is its accessor's, an error's its exception class's, with the service's class prefix.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from naftiko.workflow.own_fields import OWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel, ServiceModel, Shape

EXCEPTION = "Exception"
FAULT = "Fault"


def output_key(name: str) -> str:
    """Return under which name a step's variable holds an output: "id", "=status".

    `status` and `error_code` there are what a step says of itself.
    """
    return f"={name}" if name in OWN else name


def output_name(key: str) -> str | None:
    """Return the output that a step's variable holds under a name; None for the step's own."""
    return None if key in OWN else key.removeprefix("=")


def sdk_member(name: str) -> str:
    """Return the name of a member: "DBInstanceIdentifier" -> "DbInstanceIdentifier"."""
    lowered = sdk_operation(name)
    return lowered[:1].upper() + lowered[1:]


def sdk_operation(name: str) -> str:
    """Return the name of an operation: "CreateDBSnapshot" -> "createDBSnapshot".

    The first letter is lowered, and the capitals after it up to the one that begins a word.
    """
    end = 1
    while end < len(name) and name[end].isupper() and not name[end + 1 : end + 2].islower():
        end += 1
    return name[:end].lower() + name[end:]


def sdk_service(model: ServiceModel) -> str:
    """Return a service's name in a resource: "Elastic Load Balancing v2" -> its words joined."""
    return str(model.service_id).replace(" ", "").lower()


def error_prefix(model: ServiceModel) -> str:
    """Return what an error of the service begins with: "Rds", "DynamoDb", "Ec2"."""
    name = _pascal(str(model.service_id))
    for prefix in ("Amazon", "Aws"):
        name = name.removeprefix(prefix)
    return name.removesuffix("Service")


def sdk_error(prefix: str, shape: str) -> str:
    """Return the name of an error: ("Rds", "DBSnapshotNotFoundFault") -> "Rds.DbSnapshot..."."""
    bare = shape.removesuffix(FAULT)
    if bare.endswith(EXCEPTION) and bare == shape:
        return f"{prefix}.{_pascal(shape)}"
    return f"{prefix}.{_pascal(bare)}{EXCEPTION}"


def other_error(prefix: str) -> str:
    """Return the name of an error that the service's model does not name."""
    return f"{prefix}.{prefix}{EXCEPTION}"


def connection_error(prefix: str) -> str:
    """Return the name of a request that did not get through."""
    return f"{prefix}.SdkClient{EXCEPTION}"


def error_codes(operation: OperationModel) -> Mapping[str, str]:
    """Return the codes of an operation's errors by their names there, sorted by name."""
    prefix = error_prefix(operation.service_model)
    found = {sdk_error(prefix, shape.name): error_code(shape) for shape in operation.error_shapes}
    return dict(sorted(found.items()))


def error_code(shape: Shape) -> str:
    """Return the code by which AWS's answer tells an error: "DBSnapshotAlreadyExists"."""
    return str((shape.metadata.get("error") or {}).get("code") or shape.name)


@functools.lru_cache(maxsize=4096)
def _pascal(text: str) -> str:
    return "".join(word[:1].upper() + word[1:].lower() for word in _words(text))


def _words(text: str) -> list[str]:
    spaced = re.sub(r"[^A-Za-z0-9]+", " ", text)
    spaced = re.sub(r"([^a-z]{2,})v([0-9]+)", r"\1 v\2 ", spaced)
    spaced = re.sub(r"([^A-Z]{2,})V([0-9]+)", r"\1 V\2 ", spaced)
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z][a-zA-Z0-9])", " ", spaced)
    spaced = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", spaced)
    spaced = re.sub(r"([0-9])([a-zA-Z])", r"\1 \2", spaced)
    return spaced.split()
