"""The plan document: its form, checksum, signatures, and whom they are trusted of."""
