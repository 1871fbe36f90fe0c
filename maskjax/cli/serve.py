"""`maskjax serve`: one base and a folder of tasks behind HTTP."""

import logging
from pathlib import Path
from typing import Annotated

import tyro

from maskjax.config import Limits
from maskjax.errors import InputError
from maskjax.extras import require
from maskjax.options import Offline

NEEDS = ("starlette", "uvicorn", "prometheus_client")


def serve(
    *,
    base: str,
    tasks: Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    allowed_hosts: tuple[str, ...] = (),
    token_file: Path | None = None,
    revision: str | None = None,
    offline: Offline = False,
    device_bytes: int = 2 * 2**30,
    host_bytes: int = 4 * 2**30,
    hot_bytes: int = 2**29,
    warm_up: bool = True,
    poll: float = 2.0,
    drain: float = 0.0,
    access_log: bool = False,
    limits: Annotated[Limits, tyro.conf.arg(name="")] = Limits(),
) -> None:
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

    Args:
        base: `minilm`, a local folder or a Hub id.
        tasks: A folder of task files and run folders, which are found at any depth.
        host: The address to listen on. By default only this machine is answered.
        port: The port; 0 takes any that is free.
        allowed_hosts: Further names by which clients reach the server, such as that of a proxy. On
            loopback, requests under a foreign name and from foreign web pages are refused; on
            other addresses that is so where a name is given here.
        token_file: A file with a token that clients have to bring as `Authorization: Bearer`.
        revision: Branch, tag or commit of the base on the Hub.
        device_bytes: For packed tasks on the device; others wait in host memory.
        host_bytes: For packed tasks in host memory; others are read from their files again.
        hot_bytes: For merged copies of tasks that are asked for all the time; 0 for none.
        warm_up: Compile programs before the first request; without it /readyz is 200 sooner.
        poll: Seconds between looks at the folder of tasks.
        drain: Seconds after SIGTERM in which /readyz says 503 and requests are still answered.
        access_log: Write a line for every request.
        limits: How much is taken on, and how batches are made.
    """
    require("maskjax serve", *NEEDS, install="maskjax[serve]")
    from maskjax import serving
    from maskjax.inference import Predictor
    from maskjax.serving.origin import is_loopback

    logging.basicConfig(format="%(levelname)s:     %(message)s", level=logging.WARNING)
    logging.getLogger("maskjax.serving").setLevel(logging.INFO)
    local = is_loopback(host)
    token = _read_token(token_file, host, local=local)
    if not tasks.is_dir():
        raise InputError(f"--tasks: expected a folder of task files, got {tasks}.")
    bound = serving.bind(host, port)  # before the base, which may take long to load
    predictor = Predictor(
        base,
        revision=revision,
        offline=offline,
        device_bytes=device_bytes,
        host_bytes=host_bytes,
        hot_bytes=hot_bytes,
    )
    metrics = serving.Metrics(predictor.resident)
    app = serving.make_app(
        predictor,
        watcher=serving.Watcher(tasks, predictor, metrics, seconds=poll, warm_up=warm_up),
        limits=limits,
        metrics=metrics,
        token=token,
        hosts=allowed_hosts if allowed_hosts or local else None,
    )
    serving.serve(app, bound, limits=limits, drain=drain, access_log=access_log)


def _read_token(file: Path | None, host: str, *, local: bool) -> str | None:
    if file is None:
        if not local:
            logging.getLogger("maskjax.serving").warning(
                "--host %s: every client that reaches this address is answered; give --token-file",
                host,
            )
        return None
    try:
        token = file.read_text(encoding="utf8").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"--token-file: {file} is not UTF-8.") from error
    if not token:
        raise InputError(f"--token-file: {file} is empty.")
    return token
