"""Compares naftiko with hand-written equivalents. Run `python -m benchmarks`; no test does."""
