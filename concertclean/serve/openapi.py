"""The description of the requests for other programs, made from the routes themselves."""

import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute, Route

from concertclean.serve.jobs import Job, NewJob, SaveRequest, Tuning, Wish

_TAKEN: Final[dict[tuple[str, str], type[BaseModel]]] = {
    ("POST", "/api/jobs"): NewJob,
    ("POST", "/api/jobs/{id}/retry"): Wish,
    ("PUT", "/api/jobs/{id}/tuning"): Tuning,
    ("POST", "/api/jobs/{id}/save"): SaveRequest,
}
_RETURNED: Final[dict[tuple[str, str], type[BaseModel]]] = {
    ("POST", "/api/jobs"): Job,
    ("GET", "/api/jobs/{id}"): Job,
    ("POST", "/api/jobs/{id}/cancel"): Job,
    ("POST", "/api/jobs/{id}/retry"): Job,
    ("PUT", "/api/jobs/{id}/tuning"): Job,
}
_CREATED: Final = {("POST", "/api/jobs"), ("POST", "/api/uploads"), ("POST", "/api/jobs/{id}/save")}
_REFERENCE: Final = "#/components/schemas/{model}"
_ERROR: Final = {
    "description": "refused; the fact and the cure",
    "content": {"application/json": {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}},
}


def describe(routes: Sequence[BaseRoute], version: str) -> dict[str, Any]:
    """The description, OpenAPI 3.1.

    Args:
        routes: of the application; those below /api are described, by the first line of their handlers' docstrings.
        version: of the program.

    References:
        OpenAPI Initiative, OpenAPI Specification 3.1.0, section 4.8.
    """
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if isinstance(route, Route) and route.path.startswith("/api/"):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                paths.setdefault(route.path, {})[method.lower()] = _operation(method, route)
    kinds = [(kind, "validation") for kind in {*_TAKEN.values(), *_RETURNED.values()}]
    kinds.sort(key=lambda kind: kind[0].__name__)
    _, schemas = models_json_schema(kinds, ref_template=_REFERENCE)  # type: ignore[arg-type]  # a list of literals
    return {
        "openapi": "3.1.0",
        "info": {"title": "concertclean", "version": version},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas.get("$defs", {}),
        },
    }


def _operation(method: str, route: Route) -> dict[str, Any]:
    """One method of one path."""
    key = (method, route.path)
    summary = (route.endpoint.__doc__ or "").strip().splitlines()[0]
    success: dict[str, Any] = {"description": summary}
    if key in _RETURNED:
        success["content"] = _json(_RETURNED[key])
    status = "204" if method == "DELETE" else "201" if key in _CREATED else "200"
    names = re.findall(r"\{(\w+)\}", route.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    if key == ("POST", "/api/uploads"):
        parameters.append({"name": "name", "in": "query", "required": False, "schema": {"type": "string"}})
    operation: dict[str, Any] = {"summary": summary, "responses": {status: success, "default": _ERROR}}
    if parameters:
        operation["parameters"] = parameters
    if key in _TAKEN:
        operation["requestBody"] = {
            "required": _TAKEN[key] is not Wish,
            "content": _json(_TAKEN[key]),
        }
    if key == ("POST", "/api/uploads"):
        binary = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": binary}}
    return operation


def _json(kind: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=kind.__name__)}}}
