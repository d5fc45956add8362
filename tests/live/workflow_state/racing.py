"""A worker that takes every lease it can get: `python -m ...racing FOLDER OWNER COUNT`.

Its exit status is how many it won.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from naftiko.workflow.state.sqlite import SqliteStore
from naftiko.workflow.state.store import Record
from tests.live.workflow_state.support import START


async def main(folder: Path, owner: str, count: int) -> int:
    store = SqliteStore(folder)
    await store.open()
    won = 0
    for n in range(count):
        if not await store.take_lease(f"x{n}", owner, START + 31, START + 61):
            continue
        won += 1
        for seq in range(5):
            record = Record(seq=seq, nonce=b"", blob=owner.encode(), at=START)
            await store.append(f"x{n}", record, b"", owner)
    await store.close()
    return won


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
