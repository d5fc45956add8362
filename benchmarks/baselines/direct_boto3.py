"""A boto3 client called one time after another, as a script does."""

from __future__ import annotations

import sys
import time

import boto3


def main() -> None:
    """Read a number of calls from each line, make them, write the CPU seconds they took."""
    client = boto3.client("stepfunctions")
    for line in sys.stdin:
        start = time.process_time()
        for _ in range(int(line)):
            client.list_state_machines()
        sys.stdout.write(f"{time.process_time() - start}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
