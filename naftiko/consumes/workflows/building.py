"""Settings -> the service that executes workflows, with its store and keys."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from binascii import Error as Base64Error
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from naftiko.workflow.discovery.live import LiveIndex
from naftiko.workflow.discovery.permitted import Permitted
from naftiko.workflow.discovery.suggest import Suggester
from naftiko.workflow.runtime.plans import Plans
from naftiko.workflow.runtime.service import WorkflowService
from naftiko.workflow.state.ledger import Ledger
from naftiko.workflow.state.sealing import KeyWrapper, KmsKey, LocalKey
from naftiko.workflow.state.store import Store

if TYPE_CHECKING:
    from naftiko.consumes.workflows.settings import StateSettings, WorkflowSettings
    from naftiko.workflow.ports import CallAws, Clock
    from naftiko.workflow.runtime.gates import Access


class RealClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def build_service(settings: WorkflowSettings, access: Access) -> WorkflowService:
    """Return the service of an entry; nothing is opened yet but the catalog's folders.

    Raises: CatalogError, StartError (a key that is none).
    """
    clock = RealClock()
    plans = Plans(
        folders=settings.folders,
        policy=settings.policy,
        root=settings.trust_root,
        is_loopback=access.is_loopback,
        clock=clock,
    )
    return WorkflowService(
        plans,
        build_ledger(settings.state, access.call, clock),
        access,
        clock,
        policy=settings.policy,
        confirm_key=confirm_key(settings.state.key),
        new_id=lambda: uuid4().hex,
    )


def build_suggester(service: WorkflowService, embedder: str) -> Suggester:
    """Return what finds workflows of a service; no index is made yet."""
    return Suggester(
        service.plans,
        LiveIndex(service.plans, service.clock, embedder=embedder),
        service.clock,
        policy=service.policy,
        permitted=Permitted(service.gates, service.clock, service.policy),
    )


def build_ledger(state: StateSettings, call: CallAws, clock: Clock) -> Ledger:
    """Return the ledger over the store that is wanted.

    Raises: StartError for a key that is none.
    """
    keys: KeyWrapper | None = None
    if state.type_ != "memory":
        if state.kms_key_id is not None:
            keys = KmsKey(call, state.kms_key_id)
        elif state.key is not None:
            keys = LocalKey.from_text(state.key)
    worker = f"worker-{secrets.token_hex(4)}"
    return Ledger(_store(state, call, clock), clock, keys, worker=worker, ttl_s=state.ttl_s)


def confirm_key(state_key: str | None) -> bytes:
    """Return what confirmation tokens are made with: shared by workers that share the state key.

    Without one a token holds as long as the server runs; `get-execution` gives a new one.
    """
    try:
        key = base64.b64decode(state_key or "", validate=True)
    except (Base64Error, ValueError):
        key = b""
    if not key:
        return secrets.token_bytes(32)
    return hmac.digest(key, b"naftiko.workflow/confirm", hashlib.sha256)


def _store(state: StateSettings, call: CallAws, clock: Clock) -> Store:
    if state.type_ == "sqlite":
        from naftiko.workflow.state.sqlite import SqliteStore

        assert state.folder is not None  # sqlite has one
        return SqliteStore(state.folder)
    if state.type_ == "dynamodb":
        from naftiko.workflow.state.dynamodb import DynamoStore

        if not state.creates_table:
            return DynamoStore(call, clock, state.table)

        class MakesTable(DynamoStore):
            async def open(self) -> None:
                await self.ensure_table()
                await super().open()

        return MakesTable(call, clock, state.table)
    from naftiko.workflow.state.memory import MemoryStore

    return MemoryStore()
