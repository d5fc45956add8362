"""Finds workflows by what they are for: documents, the index, filters, permissions."""
