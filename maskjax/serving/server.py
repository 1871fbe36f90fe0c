"""The process: a socket, uvicorn on it, and a shutdown that answers every accepted request."""

import asyncio
import logging
import socket
from dataclasses import replace

import uvicorn
from starlette.applications import Starlette

from maskjax.config import Limits
from maskjax.errors import InputError
from maskjax.serving.connections import SPARE, ServerConfig

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None

log = logging.getLogger("maskjax.serving")
GRACE_SECONDS = 30
"""Seconds for accepted requests after SIGTERM; Kubernetes kills a pod after as many."""
OTHER_FILES = 256
"""Files that the process opens besides connections: libraries, task files, the event loop."""


def bind(host: str, port: int) -> socket.socket:
    """Reserves a port, before anything slow is done.

    Args:
        host: The address.
        port: The port; 0 for any that is free.

    Returns:
        The socket, which does not listen yet, so that connections are refused.

    Raises:
        InputError: If the port is in use or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InputError(
            f"--port: {host} port {port}: {error.strerror}; choose another."
        ) from error
    return bound


def serve(
    app: Starlette,
    bound: socket.socket,
    *,
    limits: Limits | None = None,
    drain: float = 0.0,
    access_log: bool = False,
) -> None:
    """Serves until SIGTERM or SIGINT, which is raised again at the end.

    Args:
        app: From `make_app`.
        bound: From `bind`.
        limits: Those of connections; the application has the others.
        drain: Seconds between the signal and the end of listening. In this time `/readyz` answers
            503, which load balancers notice, and other requests are still answered.
        access_log: Whether every request is one line in the log.
    """
    config = ServerConfig(
        app,
        fit_open_files(limits or Limits()),
        access_log=access_log,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    host, port = bound.getsockname()[:2]
    log.info("http://%s:%d", f"[{host}]" if ":" in host else host, port)
    _Server(config, app, drain).run(sockets=[bound])


def fit_open_files(limits: Limits) -> Limits:
    """Lets the process open a file for each connection, as far as the system allows."""
    if resource is None:
        return limits
    needed = limits.connections + SPARE + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        fewer = max(1, hard - SPARE - OTHER_FILES)
        log.warning(
            "--connections %d: this process may open %d files, which are enough for %d "
            "connections; raise the limit (ulimit -n)",
            limits.connections,
            hard,
            fewer,
        )
        limits, needed = replace(limits, connections=fewer), hard
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return limits


class _Server(uvicorn.Server):
    """uvicorn that answers load balancers with 503 before it stops listening."""

    def __init__(self, config: uvicorn.Config, app: Starlette, drain: float) -> None:
        super().__init__(config)
        self._service = app.state.service
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.stopping = True
        await asyncio.sleep(self._drain)
        await super().shutdown(sockets)
