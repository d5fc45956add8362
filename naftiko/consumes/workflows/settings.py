"""A `consumes` entry of `type: workflows` -> its settings: templates over bound variables, settled.

A setting whose variable has no value is as if it were not there. Folders that the file names stand
in the workspace; elsewhere only those that come from the environment, for whoever sets that may.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.consumes.aws.adapter import read_settings
from naftiko.consumes.aws.adjustments import rendered
from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.document.nodes import Sequence as SequenceNode
from naftiko.errors import did_you_mean
from naftiko.expressions.durations import parse_duration_s
from naftiko.resources import data_folder
from naftiko.search.embedders import is_installed
from naftiko.workflow.runtime.policy import TIERS, Policy
from naftiko.workflow.state.ledger import TTL_S
from naftiko.workflow.view import VIEWS

if TYPE_CHECKING:
    from naftiko.consumes.aws.settings import AwsSettings
    from naftiko.model.consumes import ConsumesWorkflows
    from naftiko.plan.ports import ClientContext
    from naftiko.source import Location

STATE_FOLDER = ".naftiko/workflows"
TABLE = "naftiko-workflows"
STORES = ("memory", "sqlite", "dynamodb")
TARGETS = ("local", "step-functions")
EMBEDDER_EXTRAS = {"wordllama": "search", "minilm": "minilm"}
EMBEDDERS = ("auto", "none", *EMBEDDER_EXTRAS)
KEY_VARIABLE = "NAFTIKO_STATE_KEY"
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSettings:
    """Where executions are kept. `key` is text in base64; `folder` is for sqlite."""

    type_: str = "memory"
    folder: Path | None = None
    key: str | None = field(default=None, repr=False)
    kms_key_id: str | None = None
    table: str = TABLE
    creates_table: bool = False
    ttl_s: float = TTL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowSettings:
    """All that an entry says."""

    namespace: str
    folders: tuple[Path, ...]
    trust_root: str | None
    state: StateSettings
    policy: Policy
    view: str
    allow_raw: bool
    cancels: bool
    aws: AwsSettings
    embedder: str = "auto"


def read(entry: ConsumesWorkflows, context: ClientContext) -> WorkflowSettings:
    """Read an entry; what is wrong with it is noted in the context's problems.

    Raises: ExpressionError.
    """
    reader = _Reader(entry, context)
    return WorkflowSettings(
        namespace=entry.namespace,
        folders=reader.folders(entry.catalog),
        trust_root=reader.text(entry.trust_root),
        state=reader.state(entry.state),
        policy=reader.policy(entry.policy),
        view=reader.word(entry.view, "view", VIEWS, "redact"),
        allow_raw=reader.switch(entry.allow_raw, "allowRaw", otherwise=False),
        cancels=reader.word(entry.on_cancel, "onCancel", ("continue", "cancel"), "continue")
        == "cancel",
        embedder=reader.embedder(entry.embedder),
        aws=read_settings(entry.aws, context),
    )


class _Reader:
    def __init__(self, entry: ConsumesWorkflows, context: ClientContext) -> None:
        self._entry = entry
        self._context = context

    # -- places -------------------------------------------------------------------------------

    def folders(self, node: Node | None) -> tuple[Path, ...]:
        """Read `catalog`: a folder, a list of them, or those of a variable."""
        items: Sequence[Node] = (
            node.items if isinstance(node, SequenceNode) else (node,) if node else ()
        )
        found: list[Path] = []
        for item in items:
            if not isinstance(item, Scalar):
                self._error(
                    "invalid-catalog", "`catalog` must be a folder or a list", item.location
                )
                continue
            texts = (self.text(item) or "").split(",") if "{{" in item.text else [item.text]
            base = Path(item.location.path).parent
            paths = (self._folder(text.strip(), item, base) for text in texts if text.strip())
            found += [path for path in paths if path is not None]
        return tuple(found) or self._shipped(node)

    def _shipped(self, node: Node | None) -> tuple[Path, ...]:
        from naftiko.workflow.catalog import shipped

        folder = shipped()
        if folder is None:
            place = node.location if node is not None else self._entry.location
            self._error("invalid-catalog", "no catalog of workflows is installed", place)
            return ()
        return (folder,)

    def _folder(self, text: str, scalar: Scalar, base: Path) -> Path | None:
        """Return a folder: what the environment says may stand anywhere."""
        if self._is_operators(text, scalar):
            return Path.cwd() / Path(text).expanduser()
        root = self._context.workspace_root.resolve()
        path = (base / text).resolve()
        if path.is_relative_to(root):
            return path
        self._error(
            "outside-workspace",
            f"`{scalar.text}` leads out of the workspace `{root}`",
            scalar.location,
            "name a folder in it, or set a variable of the environment to the folder",
        )
        return None

    def _is_operators(self, text: str, scalar: Scalar) -> bool:
        if "{{" not in scalar.text:
            return False
        whole = rendered(scalar, self._context)
        return any(value.strip() in {text, whole} for value in self._context.environment.values())

    def embedder(self, scalar: Scalar | None) -> str:
        """Read `embedder`; one that is not installed is told of, and words alone have to do."""
        name = self.word(scalar, "embedder", EMBEDDERS, "auto")
        if scalar is not None and name not in {"auto", "none"} and not is_installed(name):
            self._context.problems.warn(
                "missing-extra",
                f"the embedder `{name}` is not installed, so that workflows are found by their "
                "words only",
                scalar.location,
                f"install it with `pip install 'naftiko[{EMBEDDER_EXTRAS[name]}]'`",
            )
        return name

    # -- state --------------------------------------------------------------------------------

    def state(self, fields: Mapping | None) -> StateSettings:
        """Read `state`. What is stored is encrypted: without a key it stays in memory."""
        self._check_names(
            fields, "state", ("type", "path", "key", "kmsKeyId", "table", "createTable", "ttl")
        )
        key = self.text(_scalar(fields, "key"))
        if key is not None:
            self._context.add_secret(key)
        kms = self.text(_scalar(fields, "kmsKeyId"))
        type_ = self.word(_scalar(fields, "type"), "state.type", STORES, "sqlite")
        if type_ != "memory" and key is None and kms is None:
            self._context.problems.info(
                "workflow-state-in-memory",
                f"`{self._entry.namespace}` keeps executions in memory, as there is no key to "
                "encrypt them with: they end with the server",
                fields.location if fields is not None else self._entry.location,
                f"set `{KEY_VARIABLE}` (`openssl rand -base64 32`) to have them outlive it",
            )
            type_ = "memory"
        return StateSettings(
            type_=type_,
            folder=self._state_folder(_scalar(fields, "path")) if type_ == "sqlite" else None,
            key=key,
            kms_key_id=kms,
            table=self.text(_scalar(fields, "table")) or TABLE,
            creates_table=self.switch(
                _scalar(fields, "createTable"), "state.createTable", otherwise=False
            ),
            ttl_s=self._duration(_scalar(fields, "ttl"), "state.ttl", TTL_S),
        )

    def _state_folder(self, scalar: Scalar | None) -> Path | None:
        root = self._context.workspace_root
        text = self.text(scalar)
        if scalar is None or text is None:
            return (Path.cwd() if self._is_shipped() else root) / STATE_FOLDER
        return self._folder(text, scalar, root)

    def _is_shipped(self) -> bool:
        """Tell whether the file came with the engine: its folder is nobody's to write to."""
        folder = data_folder("capabilities")
        path = Path(self._entry.location.path).resolve()
        return folder is not None and path.is_relative_to(folder.resolve())

    # -- policy -------------------------------------------------------------------------------

    def policy(self, fields: Mapping | None) -> Policy:
        """Read `policy`."""
        names = (
            *("tiersEnabled", "riskCeiling", "permissionCheck", "onIndeterminate", "executionRole"),
            *("dev", "target", "isolate", "maxParallel", "maxQueued"),
        )
        self._check_names(fields, "policy", names)

        def of(name: str) -> Scalar | None:
            return _scalar(fields, name)

        return Policy(
            tiers_enabled=self._tiers(fields.get("tiersEnabled") if fields is not None else None),
            risk_ceiling=self._number(of("riskCeiling"), "policy.riskCeiling", 10.0, 0, 10),
            permission_check=self.word(
                of("permissionCheck"),
                "policy.permissionCheck",
                ("enforce", "warn", "off"),
                "enforce",
            ),
            on_indeterminate=self.word(
                of("onIndeterminate"), "policy.onIndeterminate", ("fail", "proceed"), "fail"
            ),
            execution_role=self.text(of("executionRole")),
            dev=self.switch(of("dev"), "policy.dev", otherwise=False),
            target=self.word(of("target"), "policy.target", TARGETS, "local"),
            isolate=self.switch(of("isolate"), "policy.isolate", otherwise=True),
            max_parallel=int(self._number(of("maxParallel"), "policy.maxParallel", 32, 1, 1_000)),
            max_queued=int(self._number(of("maxQueued"), "policy.maxQueued", 256, 0, 100_000)),
        )

    def _tiers(self, node: Node | None) -> tuple[str, ...]:
        """Read a list, or a text with commas; an unknown tier is none, so that less is allowed."""
        if node is None:
            return Policy().tiers_enabled
        words: list[str] = []
        items = node.items if isinstance(node, SequenceNode) else (node,)
        for item in items:
            text = self.text(item) if isinstance(item, Scalar) else None
            words += [word.strip().lower() for word in (text or "").split(",") if word.strip()]
        if not words and not isinstance(node, SequenceNode):
            return Policy().tiers_enabled
        for word in words:
            if word not in TIERS:
                self._error(
                    "invalid-policy",
                    f"`policy.tiersEnabled` names `{word}`, which is no tier",
                    node.location,
                    did_you_mean(word, TIERS),
                )
        return tuple(tier for tier in TIERS if tier in words)

    # -- values -------------------------------------------------------------------------------

    def text(self, scalar: Scalar | None) -> str | None:
        """Return the text; None where it is not given or its variable has no value."""
        if scalar is None or scalar.value is None:
            return None
        return rendered(scalar, self._context) or None

    def word(self, scalar: Scalar | None, name: str, known: Sequence[str], otherwise: str) -> str:
        """Read one of a few words."""
        text = self.text(scalar)
        if scalar is None or text is None:
            return otherwise
        if text.lower() in known:
            return text.lower()
        message = f"`{name}` must be one of {', '.join(known)}, found `{text}`"
        self._error(_code(name), message, scalar.location, did_you_mean(text, known))
        return otherwise

    def switch(self, scalar: Scalar | None, name: str, *, otherwise: bool) -> bool:
        """Read true or false."""
        return self.word(scalar, name, ("true", "false"), str(otherwise).lower()) == "true"

    def _number(
        self, scalar: Scalar | None, name: str, otherwise: float, low: float, high: float
    ) -> float:
        text = self.text(scalar)
        if scalar is None or text is None:
            return otherwise
        if _NUMBER.fullmatch(text) and low <= float(text) <= high:
            return float(text)
        message = f"`{name}` must be a number from {low:g} to {high:g}, found `{text}`"
        self._error(_code(name), message, scalar.location)
        return otherwise

    def _duration(self, scalar: Scalar | None, name: str, otherwise: float) -> float:
        text = self.text(scalar)
        if scalar is None or text is None:
            return otherwise
        try:
            return parse_duration_s(text)
        except ValueError as error:
            self._error(_code(name), f"`{name}`: {error}", scalar.location)
            return otherwise

    def _check_names(self, fields: Mapping | None, where: str, known: Sequence[str]) -> None:
        for key, _ in fields.entries if fields is not None else ():
            if key.text not in known and not key.text.startswith("x-"):
                self._context.problems.warn(
                    "unknown-field",
                    f"`{where}` has no `{key.text}`",
                    key.location,
                    did_you_mean(key.text, known),
                )

    def _error(self, code: str, message: str, location: Location, hint: str = "") -> None:
        self._context.problems.error(code, message, location, hint)


def _scalar(fields: Mapping | None, name: str) -> Scalar | None:
    node = fields.get(name) if fields is not None else None
    return node if isinstance(node, Scalar) else None


def _code(name: str) -> str:
    """Return the code of a problem: "policy.target" -> "invalid-policy"."""
    first = name.partition(".")[0]
    kebab = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", first).lower()
    return f"invalid-{kebab}"
