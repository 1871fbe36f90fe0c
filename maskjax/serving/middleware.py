"""What is done around every request: checks before it, and a count of the answers after it."""

import hmac
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maskjax.serving.connections import TOO_MANY
from maskjax.serving.metrics import Metrics
from maskjax.serving.replies import refusal

PROBES = {"/healthz", "/readyz"}
"""Routes that report the server's health, which must work when it is overloaded."""
OPEN = {"/", *PROBES}
"""Routes that need no token: probes, and the page, which holds no data and asks for the token."""


class Guard:
    """Answers the requests that a check refuses, and passes the others on."""

    def __init__(self, app: ASGIApp, check: Callable[[Scope], Response | None]) -> None:
        self._app = app
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes on."""
        response = self._check(scope) if scope["type"] == "http" else None
        await (response or self._app)(scope, receive, send)


def check_token(scope: Scope, *, token: str | None) -> Response | None:
    """Answers 401 to requests without the token."""
    if token is None or (scope["method"] in ("GET", "HEAD") and scope["path"] in OPEN):
        return None
    header = dict(scope["headers"]).get(b"authorization", b"")
    scheme, _, given = header.partition(b" ")  # the scheme may be in upper or lower case
    if scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), token.encode()):
        return None
    message = "expected the header 'Authorization: Bearer TOKEN' with the right token"
    return refusal(message, 401, {"WWW-Authenticate": "Bearer"})


def check_connections(scope: Scope) -> Response | None:
    """Answers 503 on connections beyond the limit, except to probes."""
    if not scope.get("state", {}).get(TOO_MANY) or scope["path"] in PROBES:
        return None
    message = "too many connections are open; try again in 1 s"
    return refusal(message, 503, {"Retry-After": "1", "Connection": "close"})


class CountAnswers:
    """Counts answers by status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on, and counts the answer."""
        status = 500  # the answer to a defect, which is made outside of this

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            if scope["type"] == "http":
                self._metrics.requests.labels(str(status)).inc()


async def read_body(request: Request, limit: int) -> bytes:
    """Reads a body, and no more of it than is allowed."""
    declared = request.headers.get("content-length", "0")
    body = bytearray()
    if int(declared) <= limit:
        async for piece in request.stream():
            body += piece
            if len(body) > limit:
                break
        else:
            return bytes(body)
    raise HTTPException(413, f"the body: expected at most {limit:,} bytes")


async def wait_for_hang_up(request: Request) -> None:
    """Returns once the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
