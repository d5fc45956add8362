"""Calls whose answers may be anything: what cannot be read is a failure like any other."""

from __future__ import annotations

import logging

from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest, CallAws

logger = logging.getLogger("naftiko")

_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading data of a strange form may raise."""


def answered(call: CallAws) -> CallAws:
    """Return a call that raises nothing but AwsFailure, whatever the answer is.

    The request had been sent: what it was to change may have been changed.
    """

    async def send(request: AwsRequest, /) -> AwsAnswer:
        try:
            return await call(request)
        except _UNREADABLE as error:
            # The text of the error may hold values of the answer: they do not belong into a log.
            logger.error(
                "an answer to %s:%s could not be read: %s",
                request.service,
                request.operation,
                type(error).__name__,
            )
            raise AwsFailure("connection", code="UnreadableAnswer") from None

    return send
