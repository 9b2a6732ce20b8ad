"""The description of a version in OpenAPI 3.1, made of the table that it is served by and the types that it is read by."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Literal

from pydantic import TypeAdapter

from adapters.rest.problems import ErrorMessage, MshApiProblemDetails
from adapters.rest.table import Endpoint, Version

#: What may be shown to say who calls; one of them is enough.
_SHOWN: dict[str, dict[str, str]] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "From: samhub system add."},
    "certificate": {"type": "mutualTLS", "description": "Where the site's proxy hands it on."},
    "token": {"type": "http", "scheme": "DPoP", "description": "RFC 9449; where the site has an issuer."},
}
#: Whether a type is read or written.
_Mode = Literal["validation", "serialization"]


def document(version: Version, software: tuple[str, str], *, national: bool) -> dict[str, Any]:
    """All that can be asked and answered; `software` is our own name and version."""
    own, number = software
    told, definitions = TypeAdapter.json_schemas(
        [(key, mode, TypeAdapter(kind)) for key, (mode, kind) in _types(version).items()],
        by_alias=True,
        ref_template="#/components/schemas/{model}",
    )
    schemas = {key: schema for (key, _), schema in told.items()}
    paths: dict[str, dict[str, Any]] = {}
    for row in version.endpoints:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, version, schemas, national=national)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"EDI 2.0, version {version.number}", "version": number, "summary": f"As {own} serves it."},
        "servers": [{"url": f"/api/v{version.number}"}],
        "paths": paths,
        "components": {"schemas": definitions.get("$defs", {}), "securitySchemes": _SHOWN},
    }


def _types(version: Version) -> dict[Any, tuple[_Mode, Any]]:
    found: dict[Any, tuple[_Mode, Any]] = {"error": ("serialization", _error(version)[1])}
    for row in version.endpoints:
        if row.shape is not None:
            found[row.name, "answer"] = ("serialization", row.shape)
        for use in ("query", "body"):
            if (model := getattr(row, use)) is not None:
                found[row.name, use] = ("validation", model)
    return found


def _error(version: Version) -> tuple[str, Any]:
    """Media type and type of a refusal."""
    if version.number == 2:
        return "application/json", ErrorMessage
    return "application/problem+json", MshApiProblemDetails


def _operation(row: Endpoint, version: Version, schemas: dict[Any, Any], *, national: bool) -> dict[str, Any]:
    doc = (inspect.getdoc(row.handler) or row.name).splitlines()[0]
    found: dict[str, Any] = {
        "operationId": row.name,
        "summary": doc,
        "parameters": [*_in_path(row), *_in_query(row), *_headers(version, national=national)],
        "responses": {str(row.status): _success(row, schemas)}
        | {str(code): _refusal(code, version, schemas) for code in sorted(row.refusals)},
        "security": [{one: []} for one in _SHOWN] if row.known else [],
    }
    if row.body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[row.name, "body"]}},
        }
    return found


def _in_path(row: Endpoint) -> Iterator[dict[str, Any]]:
    for part in row.path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            schema = {"type": "string", "format": "uuid"} if name == "id" else {"type": "integer", "minimum": 1}
            yield {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(row: Endpoint) -> Iterator[dict[str, Any]]:
    if row.query is None:
        return
    schema = row.query.model_json_schema(mode="validation")
    for name, one in schema["properties"].items():
        yield {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": one}


def _headers(version: Version, *, national: bool) -> Iterator[dict[str, Any]]:
    number = {"type": "string", "enum": [str(version.number)]}
    yield {"name": "api-version", "in": "header", "required": national, "schema": number}
    own = {"type": "string", "minLength": 1, "examples": ["MyRecords, 4.2"]}
    yield {"name": "nhn-source-system", "in": "header", "required": national, "schema": own}


def _success(row: Endpoint, schemas: dict[Any, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"description": HTTPStatus(row.status).phrase}
    if row.streams:
        said["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    elif row.shape is not None:
        said["content"] = {"application/json": {"schema": schemas[row.name, "answer"]}}
    return said


def _refusal(code: int, version: Version, schemas: dict[Any, Any]) -> dict[str, Any]:
    media, _ = _error(version)
    return {"description": HTTPStatus(code).phrase, "content": {media: {"schema": schemas["error"]}}}
