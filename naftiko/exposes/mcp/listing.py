"""What `list` of a resource finds, as clients see it: had once for all who ask meanwhile."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_types import Annotations, Resource

from naftiko.errors import RunError
from naftiko.plan.capability import ResourcePlan
from naftiko.plan.masking import Masker
from naftiko.plan.resource_lists import ListedItem, ResourceListPlan

if TYPE_CHECKING:
    from mcp.shared.uri_template import UriTemplate

logger = logging.getLogger("naftiko.exposes.mcp")

_MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}(?:;[\x20-\x7e]{1,100})?", re.ASCII)

AT_A_TIME = 50
"""Items that are shown before others on the event loop have their turn."""
MAX_DESCRIPTION = 10_000
MAX_LABEL = 200
MAX_URI = 2048
"""What a caller may read, as in `resources`."""


@dataclass(slots=True, kw_only=True, eq=False)
class Listing:
    """The list of one template. One that cannot be had leaves the last good one in place."""

    resource: ResourcePlan
    plan: ResourceListPlan
    template: UriTemplate
    masker: Masker
    annotations: Annotations | None
    _shown: tuple[Resource, ...] = ()
    _until: float = 0.0
    _said: str = ""
    _asking: asyncio.Task[None] | None = field(default=None, repr=False)

    async def shown(self) -> tuple[Resource, ...]:
        """Return what is listed now."""
        if time.monotonic() < self._until:
            return self._shown
        asking = self._asking
        if asking is None or asking.done() or asking.get_loop() is not asyncio.get_running_loop():
            # A context of its own: what is listed is for all callers, not for this one.
            asking = asyncio.create_task(self._ask(), context=contextvars.Context())
            self._asking = asking
        # A caller that goes away leaves the others their answer.
        await asyncio.shield(asking)
        return self._shown

    async def _ask(self) -> None:
        try:
            self._shown, problem = await self._all()
        except RunError as error:
            problem = f"they cannot be listed: {error.message}"
        except Exception:  # noqa: BLE001  # a bug of ours, which is not to be asked for each time
            text = self.masker(traceback.format_exc())
            logger.error("resources `%s` cannot be listed\n%s", self.resource.name, text)
            problem = ""
        self._until = time.monotonic() + self.plan.refresh_s
        self._say(problem)

    async def _all(self) -> tuple[tuple[Resource, ...], str]:
        """Return what is listed, and what is wrong with the first that is left out."""
        found: dict[str, Resource] = {}
        problem = ""
        count = 0
        more = False
        async for page, left in self.plan.pages():
            more = left
            for item in page:
                count += 1
                if count % AT_A_TIME == 0:
                    await asyncio.sleep(0)
                try:
                    listed = self.plan.show(item)
                    shown = None if listed is None else self._one(listed)
                except RunError as error:
                    problem = problem or f"one is left out: {error.message}"
                    continue
                if shown is not None:
                    found.setdefault(str(shown.uri), shown)
        if more:
            problem = f"only the first {count:,} are listed"
        return tuple(found.values()), problem

    def _one(self, listed: ListedItem) -> Resource | None:
        """Return an item with its URI; None where that would lead nowhere, or to another one.

        Raises: RunError where the URI would tell a secret.
        """
        uri = self.template.expand(dict(listed.variables))
        if len(uri) > MAX_URI:
            return None
        matched = self.template.match(uri)
        if matched is None or not _is_same(matched, listed.variables):
            return None
        masked = self.masker
        if masked(uri) != uri:
            raise RunError(code="secret-in-uri", message="its URI holds a secret")
        resource = self.resource
        # Masked before they are cut: half a secret is not found any more.
        description = masked(listed.description or resource.description)
        media_type = masked(listed.media_type)
        return Resource(
            uri=uri,
            name=masked(listed.name)[:MAX_LABEL] or resource.name,
            title=masked(listed.label or resource.label)[:MAX_LABEL] or None,
            description=description[:MAX_DESCRIPTION] or None,
            mime_type=media_type if _MEDIA_TYPE.fullmatch(media_type) else resource.media_type,
            annotations=self.annotations,
        )

    def _say(self, problem: str) -> None:
        """Log what is wrong, once for as long as it is."""
        if problem and problem != self._said:
            logger.warning("resources `%s`: %s", self.resource.name, self.masker(problem))
        self._said = problem


def _is_same(matched: Mapping[str, str | list[str]], given: Mapping[str, str]) -> bool:
    """Tell whether a URI leads back to its variables: `{a}-{b}` of "x-y" and "z" may not."""
    return matched.keys() == given.keys() and all(
        found == given[name] or found == [given[name]] for name, found in matched.items()
    )
