"""Loads a finished run on its base: to answer rows, or with all that it was trained by."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from maskjax.config import Config
from maskjax.inference.predictor import Predictor
from maskjax.inference.saved_run import SavedRun
from maskjax.masking import flatten_with_paths
from maskjax.masking.distinct import once_per_array
from maskjax.models import (
    Base,
    build_model,
    head_paths,
    load_base,
    reinitialize,
    unshare,
    with_head,
)
from maskjax.taskfile import (
    TaskHeader,
    check_base,
    find_task_file,
    read_content,
    read_task_header,
)
from maskjax.taskfile.meta import config_of, task_of
from maskjax.tasks import load_base_tokenizer

_build_model = cache(build_model)  # runs of one shape share its compiled programs


def load_predictor(
    run: str | Path,
    *,
    base: str | None = None,
    allow_base_mismatch: bool = False,
    offline: bool = False,
    **options: Any,
) -> Predictor:
    """Loads a predictor of one run, on the base that the run names.

    Args:
        run: A run folder, its task file, or the Hub id of a published task.
        base: Another place of the same base model than the one the run was trained with.
        allow_base_mismatch: Accept a base with other weights, as long as the shapes fit.
        offline: Never ask the network.
        options: Further arguments of `Predictor`.

    Returns:
        The predictor; the run's is its only task.

    Raises:
        InputError: If the run or its base cannot be read, or they do not belong together.

    Example:
        >>> predictor = load_predictor(trained)
        >>> predictor(["a good film"])[0][0]["label"] in ("negative", "positive")
        True
    """
    _, config, loaded = _read(run, base, offline=offline)
    settings = {"offline": config.model.offline, "dtype": config.model.dtype, **options}
    return Predictor(loaded, [run], allow_base_mismatch=allow_base_mismatch, **settings)


def load_run(
    folder: str | Path,
    *,
    base: str | None = None,
    allow_base_mismatch: bool = False,
    offline: bool = False,
    load: Callable[..., Base] = load_base,
) -> SavedRun:
    """Loads a saved run, to score, export or study it.

    Args:
        folder: A run folder, or its task file.
        base: Another place of the same base model than the one the run was trained with.
        allow_base_mismatch: Accept a base with other weights, as long as the shapes fit.
        offline: Never ask the network, nor later for the rows; as if the run had been offline.
        load: Loads the base; `functools.cache(load_base)` for several runs on one base.

    Returns:
        The run.

    Raises:
        InputError: If the run or its base cannot be read, or they do not belong together.

    Example:
        >>> saved = load_run(trained)
        >>> dev = saved.load_rows().splits["dev"]
        >>> saved.logits(saved.encode(dev)).shape, saved.score(dev) > 0.4
        ((41, 2), True)
    """
    header, config, loaded = _read(folder, base, offline=offline, load=load)
    loaded = unshare(loaded) if config.model.unshare else loaded
    task = task_of(header)
    dtype = jnp.dtype(config.model.dtype)
    model = _build_model(loaded.config, task.num_outputs, kind=task.kind, compute_dtype=dtype)
    head, abstract = head_paths(model), flatten_with_paths(model.abstract)
    check_base(
        header,
        # The head as shapes only: it may be large, and the file may turn out to have none.
        flatten_with_paths(loaded.params) | {path: abstract[path] for path in head},
        head,
        allow_mismatch=allow_base_mismatch,
    )
    params = with_head(loaded.params, model, jax.random.key(0))
    file = read_content(header)
    params = file.delta.apply(jax.tree.map(once_per_array(jnp.asarray), params))
    tokenizer = load_base_tokenizer(loaded, task.kind)
    return SavedRun(config, task, file, loaded, model, params, tokenizer)


def _read(
    run: str | Path, base: str | None, *, offline: bool, load: Callable[..., Base] = load_base
) -> tuple[TaskHeader, Config, Base]:
    """The header of a run, its settings, and its base as it was trained on."""
    path = Path(run)
    header = read_task_header(find_task_file(path, offline=offline))
    config, stored = config_of(header, path), header.meta["base"]
    model = replace(config.model, offline=offline or config.model.offline)
    loaded = load(base or stored["name"], revision=stored["revision"], offline=model.offline)
    loaded = reinitialize(loaded, model.reinit, model.reinit_seed)
    return header, replace(config, model=model), loaded
