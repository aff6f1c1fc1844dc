"""What requests bring with them."""

import json
from http import HTTPStatus
from typing import Final, TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from concertclean.config.reading import validated
from concertclean.serve.refusals import RefusalError

Record = TypeVar("Record", bound=BaseModel)

_MOST_JSON_BYTES: Final = 65_536


async def record(request: Request, kind: type[Record], default: Record | None = None) -> Record:
    """The body of a request as a record; the default where there is no body.

    Raises:
        RefusalError: it is no JSON, or too long.
        ConfigError: its values are unknown or out of range.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_JSON_BYTES:
            raise RefusalError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body exceeds {_MOST_JSON_BYTES} bytes")
    if not body and default is not None:
        return default
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise RefusalError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json; set its type")
    try:
        values = json.loads(body)
    except ValueError as error:
        raise RefusalError(HTTPStatus.BAD_REQUEST, f"the body is no JSON ({error}); correct it") from error
    return validated(kind, values if isinstance(values, dict) else {"": values}, "the request")
