"""Reads what is asked with: body and query into models, with every member that is wrong by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, get_origin
from uuid import uuid4

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from adapters.rest import wire
from adapters.rest.problems import Problem, unreadable
from hub.formats import coding
from hub.formats.lifted import Lifted, Lifter, received
from hub.record_systems.values import Said

Model = TypeVar("Model", bound=BaseModel)
#: What JSON may not begin with, and .NET's writers begin with (RFC 8259 8.1: a reader may pass it over).
BOM = b"\xef\xbb\xbf"


async def body(request: Request, model: type[Model], max_document: int) -> Model:
    """The body as `model`, of which the document has at most `max_document` bytes. Raises Problem."""
    limit = max_document * 3 // 2 + 10_000  # base64 grows by a third, and by its line ends as JSON escapes them
    found = await _whole(request, limit)
    if found.size > limit:
        raise unreadable(f"larger than {max_document} bytes of document", code="too-large")
    try:
        return model.model_validate_json(found.body.removeprefix(BOM), context=found)
    except ValidationError as error:
        raise _wrong(error, "the request is not as it should be; see validationErrors") from None


async def _whole(request: Request, limit: int) -> Lifted:
    """The body out of its content codings (RFC 9110 8.4), a long document lifted out of it while it comes."""
    said = ", ".join(request.headers.getlist("content-encoding"))
    try:
        found = await received(request.stream(), limit, lambda: Lifter(wire.DOCUMENTS, uuid4().hex), said)
    except ClientDisconnect:
        raise unreadable("the connection was lost before the whole request had come") from None
    if isinstance(found, Lifted):
        return found
    if found.known:
        raise unreadable(found.text)
    raise Problem(Said("refused", "content-coding", found.text), headers={"Accept-Encoding": coding.ACCEPTED})


def query(request: Request, model: type[Model]) -> Model:
    """The query as `model`; names in any case, lists by repeating the name (A6.4). Raises Problem."""
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        given.setdefault(name.lower(), []).append(value)
    asked: dict[str, object] = {}
    for name, field in model.model_fields.items():
        own = field.alias or name
        if (values := given.get(own.lower())) is not None:
            asked[own] = values if get_origin(field.annotation) is list else values[-1]
    try:
        return model.model_validate(asked)
    except ValidationError as error:
        raise _wrong(error, "the query is not as it should be; see validationErrors") from None


def _wrong(error: ValidationError, because: str) -> Problem:
    found = error.errors(include_input=False, include_url=False)
    return unreadable(because, *[_member(e["loc"], e["type"], e.get("ctx", {})) for e in found])


def _member(place: tuple[int | str, ...], kind: str, about: Mapping[str, object]) -> tuple[str, str]:
    """Which member, and what is wrong with it; where only some words are taken, which."""
    allowed = about.get("expected")
    return ".".join(str(part) for part in place), f"{kind}: {allowed}" if allowed else kind
