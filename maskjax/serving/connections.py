"""How long a connection may be silent or slow, and how many may be open.

uvicorn closes only connections that are idle after a response. One that never sends a request,
sends its headers or body byte by byte, or does not read its answer stays open, and counts toward
`limit_concurrency`, so other clients are refused.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from maskjax.config import Limits

SPARE = 256
"""Connections beyond the limit that get a response, 503; further ones are cut."""
HEAD_BYTES = 65536
"""The longest request line with headers."""
TOO_MANY = "maskjax.too_many_connections"
"""The key in the state of a request whose connection is beyond the limit."""


class ServerConfig(uvicorn.Config):
    """uvicorn's settings, with the limits of connections.

    Attributes:
        limits: The limits.
    """

    def __init__(self, app: Any, limits: Limits, **settings: Any) -> None:
        super().__init__(
            app,
            http=GuardedProtocol,
            ws="none",
            lifespan="on",
            server_header=False,
            timeout_keep_alive=cast(int, limits.idle_seconds),  # uvicorn takes fractions, too
            **settings,
        )
        self.limits = limits


class GuardedProtocol(HttpToolsProtocol):
    """One connection, with a deadline for each part of a request."""

    def __init__(self, config: ServerConfig, **settings: Any) -> None:
        super().__init__(config, **settings)
        self._limits = config.limits
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the deadline of the first request."""
        others = len(self.connections)
        super().connection_made(transport)
        if others >= self._limits.connections + SPARE:
            transport.abort()
            return
        if others >= self._limits.connections:
            self.app_state = {**self.app_state, TOO_MANY: True}
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends all deadlines."""
        self._stop_waiting()
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses; counts the bytes of headers that are not complete."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(431, f"the headers: expected at most {HEAD_BYTES:,} bytes")
        elif self._is_idle() and self.timeout_keep_alive_task is None and self._deadline is None:
            self._expect_head()  # blank lines before a request have ended uvicorn's own timer

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        if self._deadline is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The body begins."""
        self._in_head = False
        super().on_headers_complete()
        self._wait(self._limits.body_seconds, "the body")

    def on_message_complete(self) -> None:
        """The request is complete; there is no deadline for the answer."""
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The client has as long to read the answer as it has to send a body."""
        super().on_response_complete()
        if self._unread is not None:
            self._unread.cancel()
        if self.transport.get_write_buffer_size():
            self._unread = self.loop.call_later(self._limits.body_seconds, self._end_if_unread)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect_head(self) -> None:
        self._wait(self._limits.header_seconds, "the headers")

    def _wait(self, seconds: float, part: str) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(seconds, self._is_late, seconds, part)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None

    def _is_late(self, seconds: float, part: str) -> None:
        in_head_of_next = self._in_head and not self._is_idle()
        # Reading may be paused until earlier requests are answered.
        if self.pipeline or in_head_of_next:
            self._wait(seconds, part)
        elif part == "the headers" and not self._in_head:
            self.transport.close()  # without a request there is no answer
        else:
            self._refuse(408, f"{part}: expected within {seconds:g} s")

    def _refuse(self, status: int, message: str) -> None:
        """Writes a response without the application, and closes."""
        self._stop_waiting()
        may_write = self._is_idle() if self._in_head else not self.cycle.response_started
        if may_write and not self.transport.is_closing():
            body = json.dumps({"error": message}).encode()
            self.transport.write(
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nconnection: close\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                + body
            )
        self.transport.close()

    def _end_if_unread(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
