"""Every error of the loan book as an RFC 9457 problem: the stable code, the sentence, the values."""

import logging

from fastapi import Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse

from microloan import MicroloanError
from microloan.errors import BadInput, IdempotencyConflict, NotFound, Refused, Retryable

log = logging.getLogger(__name__)

#: The first class that fits decides; whatever is not here is the server's own trouble.
STATUS = ((Retryable, 503), (IdempotencyConflict, 422), (Refused, 409), (BadInput, 422), (NotFound, 404))


async def problem(_request: Request, error: Exception) -> JSONResponse:
    """Answer with the error; nothing was written."""
    assert isinstance(error, MicroloanError)
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    if status == 500:
        log.error("the loan book failed", exc_info=error)
        return _answer(status, error.code)
    return _answer(status, error.code, title=error.message, details=jsonable_encoder(error.details))


async def unavailable(_request: Request, error: Exception) -> JSONResponse:
    """The database was busy, or away, when the host itself asked it for something."""
    log.warning("the database failed", exc_info=error)
    return _answer(503, "retryable")


def _answer(status: int, code: str, **more: object) -> JSONResponse:
    body = {"type": f"urn:microloan:{code}", "status": status, "code": code, **more}
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse(body, status, headers, "application/problem+json")
