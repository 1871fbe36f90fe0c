"""What stands around every request: who may ask, and what was answered."""

import hmac

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maskjax.serving.metrics import Metrics

OPEN = {"/", "/healthz", "/readyz"}
"""What is read without a token: probes, and the page, which holds nothing and asks for it."""


class RequireToken:
    """Answers 401 to requests that do not bring the token.

    Args:
        app: What is guarded.
        token: The token; None lets everybody in.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._expected = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes on."""
        if scope["type"] == "http" and not self._may(scope):
            refusal = JSONResponse(
                {"error": "expected the header 'Authorization: Bearer TOKEN' with the right token"},
                401,
                {"WWW-Authenticate": "Bearer"},
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _may(self, scope: Scope) -> bool:
        if self._expected is None or (scope["method"] in ("GET", "HEAD") and scope["path"] in OPEN):
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, self._expected)


class CountAnswers:
    """Counts answers by status.

    Args:
        app: What answers.
        metrics: Where it is counted.
    """

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
    """Reads a body, and no more of it than is allowed.

    Args:
        request: The request.
        limit: The most bytes.

    Returns:
        The whole body.

    Raises:
        HTTPException: 413 if it is longer; what is left of it is not kept.
        ClientDisconnect: If the client goes before it is whole.
    """
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
    """Returns once the client has gone.

    Args:
        request: A request whose body was read.
    """
    while (await request.receive())["type"] != "http.disconnect":
        pass
