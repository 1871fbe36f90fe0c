"""`maskjax serve`: one base and a folder of tasks behind HTTP."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from maskjax.config import Limits
from maskjax.errors import InputError
from maskjax.extras import require

NEEDS = ("starlette", "uvicorn", "prometheus_client")


@dataclass(frozen=True, kw_only=True)
class ServeArguments:
    """Answers requests for any number of tasks from one base.

    Every task file in the folder is a task: sst2.safetensors or sst2.mask is sst2, the run folder
    mrpc with its task.safetensors is mrpc, and the first of several seeds in the folder rte is
    rte/seed-0. Files that are added, replaced or deleted while it runs are noticed; one that is
    damaged or was made for another base is refused with a line in the log, and what was served
    before is still served.

      maskjax serve --base minilm --tasks runs
      curl localhost:8000/models/sst2 -d '{"inputs": "A fine film."}'

    GET / is a page to try all tasks on a text; /tasks, /metrics, /healthz and /readyz are for
    programs. docs/serving.md has the answers, the errors and the metrics.

    Attributes:
        base: `minilm`, a local folder or a Hub id.
        tasks: A folder of task files and run folders, which are found at any depth.
        host: The address to listen on. By default only this machine is answered.
        port: The port; 0 takes any that is free.
        allowed_hosts: Further names by which clients reach the server, such as that of a proxy. On
            loopback, requests under a foreign name and from foreign web pages are refused; on
            other addresses that is so where a name is given here.
        token_file: A file with a token that clients have to bring as `Authorization: Bearer`.
        revision: Branch, tag or commit of the base on the Hub.
        offline: Never ask the network, use only what is stored locally.
        device_bytes: For packed tasks on the device; others wait in host memory.
        host_bytes: For packed tasks in host memory; others are read from their files again.
        hot_bytes: For merged copies of tasks that are asked for all the time; 0 for none.
        warm_up: Compile programs before the first request; without it /readyz is 200 sooner.
        poll: Seconds between looks at the folder of tasks.
        drain: Seconds after SIGTERM in which /readyz says 503 and requests are still answered.
        access_log: Write a line for every request.
        limits: How much is taken on, and how batches are made.
    """

    base: str
    tasks: Path
    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    token_file: Path | None = None
    revision: str | None = None
    offline: bool = False
    device_bytes: int = 2 * 2**30
    host_bytes: int = 4 * 2**30
    hot_bytes: int = 2**29
    warm_up: bool = True
    poll: float = 2.0
    drain: float = 0.0
    access_log: bool = False
    limits: Annotated[Limits, tyro.conf.arg(name="")] = field(default_factory=Limits)


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax serve`."""
    given = tyro.cli(ServeArguments, args=arguments, prog="maskjax serve")
    require("maskjax serve", *NEEDS, install="maskjax[serve]")
    logging.basicConfig(format="%(levelname)s:     %(message)s", level=logging.WARNING)
    logging.getLogger("maskjax.serving").setLevel(logging.INFO)
    _serve(given)
    return 0


def _serve(given: ServeArguments) -> None:
    """Takes the port first, since a base may take long to load."""
    from maskjax.inference import Predictor
    from maskjax.serving import Metrics, Watcher, bind, make_app, serve
    from maskjax.serving.origin import is_loopback

    token = _read_token(given)
    if not given.tasks.is_dir():
        raise InputError(f"--tasks: expected a folder of task files, got {given.tasks}.")
    bound = bind(given.host, given.port)
    predictor = Predictor(
        given.base,
        revision=given.revision,
        offline=given.offline,
        device_bytes=given.device_bytes,
        host_bytes=given.host_bytes,
        hot_bytes=given.hot_bytes,
    )
    metrics = Metrics(predictor.resident)
    watcher = Watcher(given.tasks, predictor, metrics, seconds=given.poll, warm_up=given.warm_up)
    app = make_app(
        predictor,
        watcher=watcher,
        limits=given.limits,
        metrics=metrics,
        token=token,
        hosts=given.allowed_hosts if given.allowed_hosts or is_loopback(given.host) else None,
    )
    serve(app, bound, limits=given.limits, drain=given.drain, access_log=given.access_log)


def _read_token(given: ServeArguments) -> str | None:
    from maskjax.serving.origin import is_loopback

    if given.token_file is None:
        if not is_loopback(given.host):
            logging.getLogger("maskjax.serving").warning(
                "--host %s: every client that reaches this address is answered; give --token-file",
                given.host,
            )
        return None
    try:
        token = given.token_file.read_text(encoding="utf8").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"--token-file: {given.token_file} is not UTF-8.") from error
    if not token:
        raise InputError(f"--token-file: {given.token_file} is empty.")
    return token
