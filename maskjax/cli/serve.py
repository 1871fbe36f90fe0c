"""`maskjax serve`: one base and a folder of tasks behind HTTP."""

import importlib.util
import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from maskjax.config import Limits
from maskjax.errors import InputError

NEEDS = ("starlette", "uvicorn", "prometheus_client")


@dataclass(frozen=True, kw_only=True)
class ServeArguments:
    """Answers requests for any number of tasks from one base.

    Every task file in the folder is a task: sst2.safetensors or sst2.mask is sst2, and the run
    folder mrpc with its task.safetensors is mrpc. Files that are added, replaced or deleted while
    it runs are noticed; one that is damaged or was made for another base is refused with a line
    in the log, and what was served before goes on.

      maskjax serve --base minilm --tasks runs
      curl localhost:8000/models/sst2 -d '{"inputs": "A fine film."}'

    GET / is a page to try all tasks on a text; /tasks, /metrics, /healthz and /readyz are for
    programs. docs/serving.md has the answers, the errors and the metrics.

    Attributes:
        base: `minilm`, a local folder or a Hub id.
        tasks: A folder of task files and run folders.
        host: The address to listen on. By default nobody but this machine is answered.
        port: The port; 0 takes any that is free.
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
    """Runs `maskjax serve`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If the base, the folder, the token or the port cannot be used, or the
            server's packages are not installed.
    """
    given = tyro.cli(ServeArguments, args=arguments, prog="maskjax serve")
    if missing := [name for name in NEEDS if importlib.util.find_spec(name) is None]:
        raise InputError(f'serve: needs {", ".join(missing)}; pip install "maskjax[serve]".')
    logging.basicConfig(format="%(levelname)s:     %(message)s", level=logging.WARNING)
    logging.getLogger("maskjax.serving").setLevel(logging.INFO)
    _serve(given)
    return 0


def _serve(given: ServeArguments) -> None:
    """Takes the port first, since a base may take long to load."""
    from maskjax.inference import Predictor
    from maskjax.serving import Metrics, Watcher, bind, make_app, serve

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
    app = make_app(predictor, watcher=watcher, limits=given.limits, metrics=metrics, token=token)
    serve(app, bound, drain=given.drain, access_log=given.access_log)


def _read_token(given: ServeArguments) -> str | None:
    if given.token_file is None:
        if not _is_loopback(given.host):
            logging.getLogger("maskjax.serving").warning(
                "--host %s: whoever reaches this address is answered; give --token-file", given.host
            )
        return None
    token = given.token_file.read_text(encoding="utf8").strip()
    if not token:
        raise InputError(f"--token-file: {given.token_file} is empty.")
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
