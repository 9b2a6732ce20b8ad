"""Errors in the door's own language: what each version of EDI 2.0 answers with, and its error codes (A5, A12)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NotRequired

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from typing_extensions import TypedDict

from hub.codes import reason
from hub.formats.languages import wanted
from hub.message import Language, Place
from hub.record_systems.error_codes import error_code, error_code_2
from hub.record_systems.values import Said

#: Where a request's scope says which version of EDI 2.0 it is asked in.
EDITION = "samhub.edi"


class Problem(Exception):
    """An answer other than success; its words name ids and elements, never content."""

    def __init__(
        self,
        said: Said,
        *,
        status: int = 0,
        headers: Mapping[str, str] | None = None,
        language: Language = "en",
    ) -> None:
        """`status` where it is not the one of the code; `language` where the caller asks for none."""
        self.said, self.status, self.language = said, status or reason(said.code).http, language
        self.headers = dict(headers or {})
        super().__init__(f"{said.code}: {said.because}")


def unreadable(because: str, *members: tuple[str, str], code: str = "request") -> Problem:
    """An order that cannot be read: which members, and what is wrong with each."""
    return Problem(Said("refused", code, because, members=members))


def response(request: Request, problem: Problem) -> JSONResponse:
    """In the words of the version that was asked for, in the language that the request asks for."""
    said = problem.said
    language = wanted(request.headers.get("accept-language", ""), problem.language)
    headers = {**problem.headers, "Content-Language": language}
    if request.scope.get(EDITION) == 2:
        return JSONResponse(_message(request, said, language), problem.status, headers)
    told = _details(request, problem, language)
    return JSONResponse(told, problem.status, headers, media_type="application/problem+json")


class ErrorMessage(TypedDict):
    """Version 2's (A5)."""

    error: str
    errorCode: int
    validationErrors: list[str] | None
    stackTrace: None
    requestId: str


def _message(request: Request, said: Said, language: Language) -> ErrorMessage:
    detail, _ = said.words(language)
    return {
        "error": detail,
        "errorCode": error_code_2(said),
        "validationErrors": _validation(said, language) or None,
        "stackTrace": None,
        "requestId": request.scope.get("samhub.request_id", ""),
    }


class MshApiProblemDetails(TypedDict):
    """Version 3's (A12.1), with our own code, what to do, and where in the document beside."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errorCode: int
    code: str
    hint: str
    requestId: str
    timestamp: str
    messageId: NotRequired[str]
    validationErrors: NotRequired[list[str]]
    places: NotRequired[list[PlaceAtFault]]


class PlaceAtFault(TypedDict):
    """Where in a document, and what is wrong there."""

    line: int
    column: int
    element: str
    rule: str
    text: str
    hint: str


def _details(request: Request, problem: Problem, language: Language) -> MshApiProblemDetails:
    said = problem.said
    detail, hint = said.words(language)
    body: MshApiProblemDetails = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": detail,
        "instance": request.url.path,
        "errorCode": error_code(said),
        "code": said.code,
        "hint": hint,
        "requestId": request.scope.get("samhub.request_id", ""),
        "timestamp": datetime.now(UTC).isoformat(),
    }
    if said.message_id:
        body["messageId"] = said.message_id
    if told := _validation(said, language):
        body["validationErrors"] = told
    if said.places:
        body["places"] = [_place(one, language) for one in said.places]
    return body


def _validation(said: Said, language: Language) -> list[str]:
    return [*(f"{member}: {what}" for member, what in said.members), *_places(said, language)]


def _places(said: Said, language: Language) -> list[str]:
    found = []
    for one in said.places:
        text, hint = one.words(language)
        where = f"{'linje' if language == 'nb' else 'line'} {one.line}:{one.column}: " if one.line else ""
        found.append(f"{where}{text} [{one.rule}] {hint}")
    return found


def _place(one: Place, language: Language) -> PlaceAtFault:
    text, hint = one.words(language)
    return {
        "line": one.line,
        "column": one.column,
        "element": one.element,
        "rule": one.rule,
        "text": text,
        "hint": hint,
    }


async def handle(request: Request, error: Exception) -> JSONResponse:
    """Starlette's handler for Problem, for its own HTTP errors, and for what nobody foresaw, without a trace of it."""
    if isinstance(error, HTTPException):
        said = Said("refused", "request", str(error.detail))
        if error.status_code == 404:
            said = Said("refused", "no-such-path", f"{request.method} {request.url.path[:200]}")
        # Allow of a 405 (RFC 9110 15.5.6)
        error = Problem(said, status=error.status_code, headers=error.headers)
    elif not isinstance(error, Problem):
        error = Problem(Said("ours", "unforeseen", "the log names the place"))
    return response(request, error)
