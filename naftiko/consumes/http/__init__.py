"""`consumes` of `type: http`: an HTTP API described by its paths, parameters and bodies."""

from __future__ import annotations

from naftiko.consumes.http.adapter import HttpClientAdapter, compile_http

__all__ = ["HttpClientAdapter", "compile_http"]
