"""Errors in the door's own language: problem details with the error codes of EDI 2.0 (A12)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from hub.codes import reason
from hub.formats.languages import wanted
from hub.message import Language, Place
from hub.record_systems.error_codes import error_code
from hub.record_systems.values import Said


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
    """`application/problem+json` (RFC 9457; MshApiProblemDetails A12.1), in the language that the request asks for."""
    said = problem.said
    language = wanted(request.headers.get("accept-language", ""), problem.language)
    detail, hint = said.words(language)
    body: dict[str, object] = {
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
    if told := [*(f"{member}: {what}" for member, what in said.members), *_places(said, language)]:
        body["validationErrors"] = told
    if said.places:
        body["places"] = [_place(one, language) for one in said.places]
    headers = {**problem.headers, "Content-Language": language}
    return JSONResponse(body, problem.status, headers, media_type="application/problem+json")


def _places(said: Said, language: Language) -> list[str]:
    found = []
    for one in said.places:
        text, hint = one.words(language)
        where = f"{'linje' if language == 'nb' else 'line'} {one.line}:{one.column}: " if one.line else ""
        found.append(f"{where}{text} [{one.rule}] {hint}")
    return found


def _place(one: Place, language: Language) -> dict[str, object]:
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
