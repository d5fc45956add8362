"""Deprecates and revokes: both are trust data, signed with the owner's root key. Spec: section 12.

A deprecated plan runs, and others are preferred; a revoked one does not begin, and where it runs it
stops before its next operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from naftiko.workflow.catalog import Entry
from naftiko.workflow.contribution.refused import Refused
from naftiko.workflow.files import read_limited
from naftiko.workflow.plan.canonical import CanonicalError, parse_file
from naftiko.workflow.plan.signing import SigningKey
from naftiko.workflow.plan.trust import MANIFEST, MAX_FILE_BYTES, Revocation, TrustStore
from naftiko.workflow.plan.walk import mapping
from naftiko.workflow.view import visible

MAX_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Why and when something is withdrawn, and by whom, from the trust data of a catalog.

    `key` is the one that has signed the data, if any has; `root` the public key that pins them.
    """

    folder: Path
    reason: str
    now: datetime
    key: SigningKey | None
    root: str | None

    def deprecate(self, checksum: str) -> TrustStore:
        """Say of a published plan that another is better.

        Raises: Refused, IntegrityError.
        """
        store = self._store()
        _not_again(checksum, store.deprecated, "deprecated")
        _not_again(checksum, store.revoked_checksums, "revoked")
        return self._saved(replace(store, deprecated=self._added(checksum, store.deprecated)))

    def revoke_plan(self, checksum: str) -> TrustStore:
        """Revoke a plan: it runs nowhere any more where this trust data are read.

        Raises: Refused, IntegrityError.
        """
        store = self._store()
        _not_again(checksum, store.revoked_checksums, "revoked")
        revoked = self._added(checksum, store.revoked_checksums)
        return self._saved(replace(store, revoked_checksums=revoked))

    def revoke_key(self, key_id: str) -> TrustStore:
        """Revoke a key: what it has signed, plans and reviews, does not count any more.

        Raises: Refused, IntegrityError.
        """
        store = self._store()
        if key_id not in store.publishers and key_id not in store.reviewers:
            raise Refused(
                "WF952",
                f"the trust data name no key `{key_id[:90]}`",
                hint="`naftiko workflow keys list` shows them",
            )
        _not_again(key_id, store.revoked_keys, "revoked")
        return self._saved(replace(store, revoked_keys=self._added(key_id, store.revoked_keys)))

    def _store(self) -> TrustStore:
        if not self.reason.strip():
            raise Refused("WF966", "a reason is given to whoever ran it")
        store = TrustStore.load(self.folder, root=self.root)
        signer, key = _signer(self.folder), self.key
        if signer is not None and (key is None or key.key_id != signer):
            given = f"not `{key.key_id}`" if key is not None else "and no key was given"
            raise Refused(
                "WF962",
                f"the trust data are signed by `{signer}`, {given}",
                hint="data signed by another key are refused by all who pin the present one",
            )
        return store

    def _added(self, id_: str, known: Mapping[str, Revocation]) -> dict[str, Revocation]:
        return {**known, id_: Revocation(at=self.now, reason=visible(self.reason)[:MAX_REASON])}

    def _saved(self, store: TrustStore) -> TrustStore:
        return store.save(self.folder, signer=self.key)


def checksum_of(entry: Entry, plan: Mapping[str, object]) -> str:
    """Return the checksum of a published plan.

    Raises: Refused: it was never published.
    """
    if not plan["signatures"]:
        raise Refused("WF964", f"`{entry.ref}` is not published", hint="remove it instead")
    return str(plan["checksum"])


def _signer(folder: Path) -> str | None:
    """Return the id of the key that has signed the trust data."""
    try:
        manifest = parse_file(read_limited(folder / MANIFEST, MAX_FILE_BYTES))
    except (OSError, CanonicalError):
        return None
    return str(mapping(manifest["signature"])["key_id"]) if manifest["signature"] else None


def _not_again(id_: str, known: Mapping[str, Revocation], what: str) -> None:
    if id_ in known:
        raise Refused("WF964", f"`{id_}` was {what} already: {known[id_].reason}")
