"""What stands around every request: who may ask, and what was answered."""

import hmac

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maskjax.serving.connections import TOO_MANY
from maskjax.serving.metrics import Metrics
from maskjax.serving.replies import refusal

PROBES = {"/healthz", "/readyz"}
"""Routes that report the server's health, which must work when it is overloaded."""
OPEN = {"/", *PROBES}
"""What is read without a token: probes, and the page, which holds nothing and asks for it."""


class RequireToken:
    """Answers 401 to requests that do not bring the token."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes on."""
        if scope["type"] == "http" and not self._may(scope):
            message = "expected the header 'Authorization: Bearer TOKEN' with the right token"
            await refusal(message, 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _may(self, scope: Scope) -> bool:
        if self._token is None or (scope["method"] in ("GET", "HEAD") and scope["path"] in OPEN):
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, token = given.partition(b" ")  # of a scheme, upper and lower case are the same
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)


class RefuseTooMany:
    """Answers 503 on connections beyond the limit, but for probes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes on."""
        if scope.get("state", {}).get(TOO_MANY) and scope["path"] not in PROBES:
            headers = {"Retry-After": "1", "Connection": "close"}
            message = "too many connections are open; try again in 1 s"
            await refusal(message, 503, headers)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class CountAnswers:
    """Counts answers by status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on, and counts what comes back."""
        status = 500  # what a defect is answered with, further out

        async def remember(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, remember)
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
