"""A capability called one time after another; the counterpart of baselines/direct_boto3.py."""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop

import naftiko
from benchmarks.processes import CAPABILITY

TARGET = "step-functions.list-state-machines"


async def main() -> None:
    """Read a number of calls from each line, make them, write the CPU seconds they took."""
    async with naftiko.load(CAPABILITY) as capability:
        while line := await asyncio.to_thread(sys.stdin.readline):
            start = time.process_time()
            for _ in range(int(line)):
                await capability.call(TARGET)
            sys.stdout.write(f"{time.process_time() - start}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
