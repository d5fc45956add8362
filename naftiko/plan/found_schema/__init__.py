"""A JSON Schema or OpenAPI document that was found while running -> one JSON Schema (2020-12).

Pure functions over JSON values. Nothing is fetched, and everything is bounded.
"""
