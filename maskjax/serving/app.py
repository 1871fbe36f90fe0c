"""The ASGI application: routes, middleware, and how a request becomes a response."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.resources import files
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from maskjax.config import Limits
from maskjax.errors import InputError
from maskjax.inference import Answer, Predictor, PreparedRow
from maskjax.serving.batch_policy import split_rows
from maskjax.serving.batcher import Batcher
from maskjax.serving.metrics import Metrics
from maskjax.serving.middleware import (
    CountAnswers,
    Guard,
    check_connections,
    check_token,
    read_body,
    wait_for_hang_up,
)
from maskjax.serving.origin import check_origin
from maskjax.serving.replies import Json, describe_tasks, refusal, shape_answers
from maskjax.serving.schemas import VECTORS, InferenceRequest, read_request
from maskjax.serving.watch import Watcher

log = logging.getLogger("maskjax.serving")
BASE = "(base)"
"""The name of the base in the metrics."""
VECTORS_PATH = "/pipeline/feature-extraction"
"""The path for vectors of the base; below the path of a task, for vectors under its weights."""
TRUNCATED = "X-Truncated-Inputs"
"""The header with the numbers of inputs that were truncated; it is missing if none was."""
CLIENT_GONE = 499
"""The status of a request whose client hung up before the answer, as in nginx."""
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src data:;"
    " style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}

T = TypeVar("T")


class Service:
    """One predictor behind HTTP.

    Attributes:
        stopping: Whether the process is about to end; `/readyz` reports it to load balancers.

    Args:
        predictor: The base and its tasks.
        watcher: Adds and removes tasks; None for a fixed set of tasks.
        limits: The limits of requests and batches.
        metrics: Counts requests, rows and batches.
    """

    def __init__(
        self, predictor: Predictor, watcher: Watcher | None, limits: Limits, metrics: Metrics
    ) -> None:
        self.stopping = False
        self._predictor = predictor
        self._watcher = watcher
        self._limits = limits
        self._metrics = metrics
        self._batcher = Batcher(predictor, limits, metrics)
        self._tokenizing: ThreadPoolExecutor | None = None
        self._loops: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Runs the batcher and the watcher as long as the application is up."""
        # A separate thread, so that probes and metrics do not wait for long texts.
        self._tokenizing = ThreadPoolExecutor(1, "maskjax-tokenize")
        loops = [self._batcher.run()] + ([self._watcher.run()] if self._watcher else [])
        self._loops = [asyncio.create_task(loop) for loop in loops]
        for loop in self._loops:
            loop.add_done_callback(_log_death)
        try:
            yield
        finally:
            for loop in self._loops:
                loop.cancel()
            await asyncio.wait(self._loops)
            self._tokenizing.shutdown(wait=False, cancel_futures=True)

    async def answer(self, request: Request, *, vectors: bool = False) -> Response:
        """`POST /` and `POST /models/{task}`: inputs in, answers or pooled vectors out."""
        body = await read_body(request, self._limits.body_bytes)
        name, tasks = request.path_params.get("task"), self._predictor.tasks
        inference_request = read_request(body, name, tasks, vectors=vectors)
        count, limit = len(inference_request.rows), self._limits.request_rows
        if count > limit:
            raise HTTPException(413, f"inputs: expected at most {limit}, got {count}")
        start = time.perf_counter()
        answered = await _unless_hung_up(request, self._answers(inference_request))
        if answered is None:
            return Response(status_code=CLIENT_GONE)
        answers, truncated = answered
        self._metrics.observe_latency(inference_request.task or BASE, time.perf_counter() - start)
        headers = {TRUNCATED: ",".join(map(str, truncated))} if truncated else None
        return Json(shape_answers(inference_request, answers), headers=headers)

    async def _answers(
        self, inference_request: InferenceRequest
    ) -> tuple[list[Answer], tuple[int, ...]]:
        """The answers, and the numbers of the inputs that are longer than what is read."""
        with self._batcher.admit(len(inference_request.rows)):
            try:
                rows = await self._prepare(inference_request)
                truncated = tuple(number for number, row in enumerate(rows) if row.truncated)
                return await self._batcher.answer(rows), truncated
            except InputError as error:
                status = 422 if inference_request.task in {None, *self._predictor.tasks} else 404
                raise HTTPException(status, str(error)) from error

    async def _prepare(self, inference_request: InferenceRequest) -> list[PreparedRow]:
        """Tokenizes in parts: other requests get their turn, and a client that hangs up ends it."""
        loop, limit = asyncio.get_running_loop(), self._limits.request_tokens
        prepare = partial(
            self._predictor.prepare,
            task=inference_request.task,
            vector=inference_request.kind == VECTORS,
            function=inference_request.parameters.function_to_apply,
        )
        rows: list[PreparedRow] = []
        for part in split_rows(inference_request.rows):
            rows += await loop.run_in_executor(self._tokenizing, prepare, part)
            tokens = sum(row.padded_tokens for row in rows)
            if tokens > limit:
                raise HTTPException(
                    413, f"inputs: expected at most {limit:,} tokens, got {tokens:,} or more"
                )
        return rows

    async def tasks(self, request: Request) -> Response:
        """`GET /tasks`: the tasks, for people and programs."""
        return Json(describe_tasks(self._predictor.tasks))

    async def healthz(self, request: Request) -> Response:
        """`GET /healthz`: 200 unless a loop has died, and only a restart helps."""
        dead = any(loop.done() for loop in self._loops)
        return Json({"status": "dead" if dead else "alive"}, 503 if dead else 200)

    async def readyz(self, request: Request) -> Response:
        """`GET /readyz`: 200 from when the tasks are loaded to when the process stops."""
        loading = self._watcher is not None and not self._watcher.ready
        status = "stopping" if self.stopping else "loading" if loading else "ready"
        return Json({"status": status}, 200 if status == "ready" else 503)

    async def metrics(self, request: Request) -> Response:
        """`GET /metrics`: for Prometheus."""
        self._metrics.tasks.set(len(self._predictor.tasks))
        text = await asyncio.to_thread(self._metrics.text)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def page(self, request: Request) -> Response:
        """`GET /`: a page to try all tasks on a text."""
        return HTMLResponse(PAGE, headers=PAGE_HEADERS)


def make_app(
    predictor: Predictor,
    *,
    watcher: Watcher | None = None,
    limits: Limits | None = None,
    metrics: Metrics | None = None,
    token: str | None = None,
    hosts: Collection[str] | None = None,
) -> Starlette:
    """Makes the application.

    Args:
        predictor: The base and its tasks.
        watcher: Adds and removes tasks while the server runs; None for a fixed set of tasks.
        limits: The limits of requests and batches.
        metrics: The same as the watcher's, where there is one.
        token: A token that clients must send; None for no check.
        hosts: Names of the server besides those of the loopback interface; requests under other
            names and from pages of others are refused. None for no check.

    Returns:
        An ASGI application, whose `state.service` is the `Service`.

    Example:
        >>> app = make_app(Predictor(base, [trained]))
        >>> app.state.service.stopping
        False
    """
    metrics = metrics or Metrics(predictor.resident)
    service = Service(predictor, watcher, limits or Limits(), metrics)
    answer_vectors = partial(service.answer, vectors=True)
    app = Starlette(
        routes=[
            Route("/", service.page),
            Route("/", service.answer, methods=["POST"]),
            Route(VECTORS_PATH, answer_vectors, methods=["POST"]),
            Route(f"/models/{{task:path}}{VECTORS_PATH}", answer_vectors, methods=["POST"]),
            Route("/models/{task:path}", service.answer, methods=["POST"]),
            Route("/tasks", service.tasks),
            Route("/healthz", service.healthz),
            Route("/readyz", service.readyz),
            Route("/metrics", service.metrics),
        ],
        middleware=[
            Middleware(CountAnswers, metrics),
            Middleware(Guard, check_connections),
            Middleware(Guard, partial(check_origin, public_names=hosts)),
            Middleware(Guard, partial(check_token, token=token)),
        ],
        exception_handlers={
            HTTPException: _refuse,
            ClientDisconnect: _close,
            Exception: _report_defect,
        },
        lifespan=service.lifespan,
    )
    app.state.service = service
    return app


async def _unless_hung_up(request: Request, work: Awaitable[T]) -> T | None:
    """The result of work; None, and the work is cancelled, if the client hangs up first."""
    task, hang_up = asyncio.ensure_future(work), asyncio.ensure_future(wait_for_hang_up(request))
    try:
        await asyncio.wait({task, hang_up}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        hang_up.cancel()
        task.cancel()


def _log_death(loop: asyncio.Task[None]) -> None:
    if not loop.cancelled():
        log.critical("a loop has died, /healthz says so", exc_info=loop.exception())


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # handlers are typed for every error
    return refusal(error.detail, error.status_code, error.headers)


async def _close(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _report_defect(request: Request, error: Exception) -> Response:
    """The traceback goes to the log and not to the client."""
    return refusal("an error of the server's own; its log has it", 500)


PAGE = files("maskjax.serving").joinpath("page.html").read_text(encoding="utf8")
