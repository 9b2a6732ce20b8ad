"""Errors in the door's own language: problem details with the error codes of EDI 2.0 (A12)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

#: Our code → errorCode (A12.2).
ERROR_CODES = {
    "apprec-on-apprec": 1100,
    "not-a-receiver": 1102,
    "document-unaddressed": 1200,
    "not-concerned": 1201,
    "not-your-party": 1202,
    "not-found": 1010,
    "request": 1001,
}


class Problem(Exception):
    """An answer other than success; `detail` names ids and elements, never content."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: list[str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status, self.code, self.detail, self.errors = status, code, detail, errors or []
        self.headers = dict(headers or {})
        super().__init__(detail)


def response(request: Request, problem: Problem) -> JSONResponse:
    """`application/problem+json` (RFC 9457; MshApiProblemDetails A12.1)."""
    body = {
        "type": "about:blank",
        "title": problem.code,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.url.path,
        "errorCode": ERROR_CODES.get(problem.code, 1001 if problem.status == 400 else 0),
        "code": problem.code,
        "requestId": request.scope.get("samhub.request_id", ""),
        "timestamp": datetime.now(UTC).isoformat(),
    }
    if problem.errors:
        body["validationErrors"] = problem.errors
    return JSONResponse(body, problem.status, problem.headers, media_type="application/problem+json")


async def handle(request: Request, error: Exception) -> JSONResponse:
    """Starlette's handler for Problem, for its own HTTP errors, and for what nobody foresaw, without a trace of it."""
    if isinstance(error, HTTPException):
        code = "not-found" if error.status_code == 404 else "request"
        error = Problem(
            error.status_code, code, error.detail, headers=error.headers
        )  # Allow of a 405 (RFC 9110 15.5.6)
    elif not isinstance(error, Problem):
        error = Problem(500, "unforeseen", "something nobody foresaw; the log names the place")
    return response(request, error)
