"""`maskjax train` and `train.py`: an experiment file, overrides, a run folder."""

from pathlib import Path

from rich.console import Console

from maskjax.errors import InputError
from maskjax.options import Settings, with_short_options


def train(
    config: Settings,
    *,
    out: Path = Path("runs/last"),
    seeds: int | None = None,
    offline: bool = False,
    overwrite: bool = False,
    require_accelerator: bool = False,
    hosts: str | None = None,
) -> None:
    """Learns a mask for a task, or one of the methods it is compared with, and saves the run.

    --config loads an experiment: a packaged one by name (docstrings, tasks:sst2,
    tasks:mrpc,roberta), or a file by its path (mine.py, mine.py:words, the config.json of a run).
    A .py file is run as code. Every option below overrides one of the experiment's settings, and
    options show the values that hold if they are not given.
    --no-compile-cache compiles every program again (maskjax --help says where they are kept).

    Args:
        config: All settings.
        out: The run folder, made by the run: config, metrics, and the task file.
        seeds: How many seeds to train at once; short for --train.seeds.
        offline: Never ask the network, for base, rows and masks alike, use only what is stored
            locally; short for --model.offline.
        overwrite: Delete the run that --out holds, once everything is checked, and start again.
            One of the same settings that is not finished resumes, with or without it.
        require_accelerator: Stop immediately if JAX found only a CPU.
        hosts: Several hosts train one run, each started with the same command: `auto` on a TPU
            slice and under Slurm, Open MPI or Kubernetes, else PROCESS/PROCESSES@ADDRESS:PORT,
            such as 0/2@10.0.0.1:8476 and 1/2@10.0.0.1:8476. The first one prints and writes.
    """
    import jax

    from maskjax.training import distributed, run, run_seeds

    if hosts is not None:
        distributed.join(hosts)
    if require_accelerator and jax.default_backend() == "cpu":
        raise InputError(
            "--require-accelerator: JAX found only a CPU; choose a runtime with an accelerator, "
            "install jax[tpu] or jax[cuda13], and ask `maskjax doctor`."
        )
    config = with_short_options(config, seeds=seeds, offline=offline)
    console = Console(quiet=not distributed.is_primary())
    start = run_seeds if config.train.seeds > 1 else run
    start(config, out, console=console, overwrite=overwrite)
