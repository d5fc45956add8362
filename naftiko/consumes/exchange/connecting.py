"""An origin -> a new connection, TLS included."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from naftiko.consumes.exchange.connection import Connection
from naftiko.consumes.exchange.request import Origin
from naftiko.consumes.transport_errors import ConnectError, InvalidRequestError, TimedOutError


async def connect(
    origin: Origin, timeout_s: float, tls: Callable[[], ssl.SSLContext]
) -> Connection:
    """Open a connection; name look-up and TLS handshake are within the timeout.

    Raises: TimedOutError, ConnectError, InvalidRequestError.
    """
    address = origin.address
    context = tls() if origin.tls else None
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            _, connection = await loop.create_connection(
                lambda: Connection(origin), origin.host, origin.port, ssl=context
            )
    except TimeoutError as error:
        raise TimedOutError(address, "no connection in time", "connect") from error
    except socket.gaierror as error:
        raise ConnectError(address, _reason(error), "dns") from error
    except ssl.SSLError as error:
        raise ConnectError(address, _reason(error), "tls") from error
    except UnicodeError as error:
        raise InvalidRequestError(address, str(error)) from error
    except OSError as error:
        kind = "refused" if isinstance(error, ConnectionRefusedError) else "other"
        if origin.tls and isinstance(error, ConnectionResetError):
            kind = "tls"
        raise ConnectError(address, _reason(error), kind) from error
    return connection


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
