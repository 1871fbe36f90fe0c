"""The ASGI application: what is answered at which path."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable
from importlib.resources import files
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from maskjax.config import Limits
from maskjax.errors import InputError
from maskjax.inference import Answer, Predictor, Prepared
from maskjax.serving.asking import Question, describe_tasks, read_question, shape_answers
from maskjax.serving.batcher import Batcher, BusyError
from maskjax.serving.batches import padded_tokens
from maskjax.serving.guard import CountAnswers, RequireToken, read_body, wait_for_hang_up
from maskjax.serving.metrics import Metrics
from maskjax.serving.watch import Watcher

log = logging.getLogger("maskjax.serving")
BASE = "(base)"
"""What the metrics call the features of the base."""
CLIENT_GONE = 499
"""The status, by nginx's custom, of a request whose client did not wait for the answer."""
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
        stopping: Whether the process is about to end; `/readyz` tells load balancers.

    Args:
        predictor: The base and its tasks.
        watcher: Adds and removes tasks; None where nothing is watched.
        limits: What is taken on.
        metrics: What is counted.
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
        self._loops: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Runs the batcher and the watcher as long as the application is up."""
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

    async def ask(self, request: Request) -> Response:
        """`POST /` and `POST /models/{task}`: inputs in, answers out."""
        body = await read_body(request, self._limits.body_bytes)
        tasks = self._predictor.tasks
        question = read_question(body, request.path_params.get("task"), tasks)
        if len(question.rows) > self._limits.request_rows:
            most = self._limits.request_rows
            raise HTTPException(413, f"inputs: expected at most {most}, got {len(question.rows)}")
        start = time.perf_counter()
        answers = await _unless_gone(request, self._answers(question))
        if answers is None:
            return Response(status_code=CLIENT_GONE)
        self._metrics.latency.labels(question.task or BASE).observe(time.perf_counter() - start)
        return JSONResponse(shape_answers(question, answers))

    async def _answers(self, question: Question) -> list[Answer]:
        with self._batcher.admit(len(question.rows)):
            try:
                return await self._batcher.answer(await self._prepare(question))
            except InputError as error:
                status = 422 if question.task in {None, *self._predictor.tasks} else 404
                raise HTTPException(status, str(error)) from error

    async def _prepare(self, question: Question) -> list[Prepared]:
        rows = await asyncio.to_thread(self._predictor.prepare, question.rows, question.task)
        tokens, most = sum(map(padded_tokens, rows)), self._limits.request_tokens
        if tokens > most:
            raise HTTPException(413, f"inputs: expected at most {most:,} tokens, got {tokens:,}")
        return rows

    async def tasks(self, request: Request) -> Response:
        """`GET /tasks`: what there is to ask."""
        return JSONResponse(describe_tasks(self._predictor.tasks))

    async def healthz(self, request: Request) -> Response:
        """`GET /healthz`: 200 unless a loop has died, and only a restart helps."""
        dead = any(loop.done() for loop in self._loops)
        return JSONResponse({"status": "dead" if dead else "alive"}, 503 if dead else 200)

    async def readyz(self, request: Request) -> Response:
        """`GET /readyz`: 200 from when the tasks are loaded to when the process stops."""
        loading = self._watcher is not None and not self._watcher.ready
        status = "stopping" if self.stopping else "loading" if loading else "ready"
        return JSONResponse({"status": status}, 200 if status == "ready" else 503)

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
) -> Starlette:
    """Makes the application.

    Args:
        predictor: The base and its tasks.
        watcher: From `maskjax.serving.Watcher`, if tasks come and go.
        limits: What is taken on.
        metrics: Those of the watcher, where there is one.
        token: What clients have to bring; None for nothing.

    Returns:
        An ASGI application, whose `state.service` is the `Service`.
    """
    metrics = metrics or Metrics(predictor.resident)
    service = Service(predictor, watcher, limits or Limits(), metrics)
    app = Starlette(
        routes=[
            Route("/", service.page),
            Route("/", service.ask, methods=["POST"]),
            Route("/models/{task}", service.ask, methods=["POST"]),
            Route("/tasks", service.tasks),
            Route("/healthz", service.healthz),
            Route("/readyz", service.readyz),
            Route("/metrics", service.metrics),
        ],
        middleware=[Middleware(CountAnswers, metrics), Middleware(RequireToken, token)],
        exception_handlers={
            HTTPException: _tell,
            BusyError: _tell_busy,
            ClientDisconnect: _tell_nobody,
            Exception: _tell_defect,
        },
        lifespan=service.lifespan,
    )
    app.state.service = service
    return app


async def _unless_gone(request: Request, work: Awaitable[T]) -> T | None:
    """Waits for work and gives it up, with None, once the client hangs up."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(wait_for_hang_up(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        gone.cancel()
        task.cancel()


def _log_death(loop: asyncio.Task[None]) -> None:
    if not loop.cancelled():
        log.critical("a loop has died, /healthz says so", exc_info=loop.exception())


async def _tell(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # handlers are typed for every error
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _tell_busy(request: Request, error: Exception) -> Response:
    assert isinstance(error, BusyError)
    return JSONResponse({"error": str(error)}, 429, {"Retry-After": str(error.retry_after)})


async def _tell_nobody(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _tell_defect(request: Request, error: Exception) -> Response:
    """The traceback goes to the log, and to nobody else."""
    return JSONResponse({"error": "an error of the server's own; its log has it"}, 500)


PAGE = files("maskjax.serving").joinpath("page.html").read_text(encoding="utf8")
