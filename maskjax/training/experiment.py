"""From a configuration to everything that a run needs: base, rows, model, adaptation."""

import json
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from maskjax.adaptation import Adaptation, make_adaptation
from maskjax.config import Config, TaskConfig, config_to_dict, flat_settings
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.masking.distinct import once_per_array
from maskjax.models import (
    Base,
    Model,
    TaskType,
    build_model,
    cast_matrices,
    load_base,
    reinitialize,
    unshare,
    with_head,
)
from maskjax.models.model import Params
from maskjax.progress import announced, warn
from maskjax.taskfile.digest import digest_all, digest_leaves
from maskjax.tasks import (
    Encoded,
    LoadedTask,
    Tokenizer,
    encode,
    encode_cached,
    load_base_tokenizer,
    load_task,
    note_on_truncated,
    num_batches,
    task_name,
)
from maskjax.training.fixed_masks import take_masks
from maskjax.training.optimizer import make_optimizer, make_schedule
from maskjax.training.sharding import Layout, make_layout
from maskjax.training.sparsity_penalty import SparsityPenalty, make_sparsity_penalty
from maskjax.training.validate import resolve_config, validate


class Experiment(NamedTuple):
    """A run that is ready to start.

    Attributes:
        config: What was asked for.
        base: The pretrained encoder.
        model: Its functions, with a head for the task.
        params: The frozen weights, the head at its start included; never changed.
        adaptation: What is learned.
        data: The task and its rows.
        encoded: The tokenized splits.
        tokenizer: The base's tokenizer.
        layout: Where arrays live.
        schedule: The learning rate over steps.
        optimizer: Moves what is learned.
        penalty: Holds masks to a target sparsity; None without a target.
    """

    config: Config
    base: Base
    model: Model
    params: Params
    adaptation: Adaptation
    data: LoadedTask
    encoded: dict[str, Encoded]
    tokenizer: Tokenizer
    layout: Layout
    schedule: optax.Schedule
    optimizer: optax.GradientTransformation
    penalty: SparsityPenalty | None

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one pass over the training rows."""
        return _steps_per_epoch(self.config, self.encoded)

    @property
    def total_steps(self) -> int:
        """Steps of the whole run, if nothing stops it early."""
        return self.steps_per_epoch * self.config.train.epochs


def prepare(config: Config) -> Experiment:
    """Loads and checks everything, so that what can fail fails before the first step.

    Args:
        config: The run.

    Returns:
        The experiment.

    Raises:
        InputError: If the base, the rows or a setting cannot be used.

    Example:
        >>> experiment = prepare(config)
        >>> experiment.data.task.labels, experiment.total_steps
        (('negative', 'positive'), 6)
    """
    return build_experiment(resolve_config(config))


def build_experiment(config: Config) -> Experiment:
    """What `prepare` does, for settings that are resolved."""
    layout = make_layout(config)
    with announced(f"loading the rows of {task_name(config.task)}"):
        data = load_task(config.task, offline=config.model.offline)
    with announced(f"loading {config.model.base}"):
        base = load_base(
            config.model.base, revision=config.model.revision, offline=config.model.offline
        )
    base = reinitialize(base, config.model.reinit, config.model.reinit_seed)
    base = unshare(base) if config.model.unshare else base
    validate(config, base, data)
    model = build_model(
        base.config.with_dropout(config.train.dropout),
        data.task.num_outputs,
        kind=data.task.kind,
        compute_dtype=jnp.dtype(config.model.dtype),
        remat_blocks=config.train.remat == "blocks",
    )
    tokenizer = load_base_tokenizer(base, data.task.kind)
    encoded, notes = _encode(config.task, data, tokenizer)
    data = data._replace(notes=(*data.notes, *notes))
    _warn_of_truncated(config.task, base, data.task.kind, encoded)
    params = with_head(layout.place(base.params), model, jax.random.key(config.train.seed))
    params, masks = take_masks(config, data.task, base, model, params)
    base, params = _hold(config, base, model, params)
    params = layout.place(params)
    adaptation = make_adaptation(config.adaptation, model, masks)
    _check_rules(adaptation, params)
    steps = _steps_per_epoch(config, encoded) * config.train.epochs
    return Experiment(
        config,
        base,
        model,
        params,
        adaptation,
        data,
        encoded,
        tokenizer,
        layout,
        make_schedule(config.optimizer, config.optimizer.learning_rate, steps),
        make_optimizer(config.optimizer, steps),
        make_sparsity_penalty(config, model, steps),
    )


def prepare_seeds(config: Config) -> list[Experiment]:
    """Loads and checks everything once, for all seeds of a configuration.

    Args:
        config: The run; `train.seed` is the first of `train.seeds` seeds.

    Returns:
        An experiment for each seed, each with the configuration of its own run. They share all
        but that and the leaves that are drawn for a seed.

    Raises:
        InputError: If the base, the rows or a setting cannot be used.

    Example:
        >>> two = replace(config, train=replace(config.train, seeds=2))
        >>> [experiment.config.train.seed for experiment in prepare_seeds(two)]
        [0, 1]
    """
    return build_seeds(resolve_config(config))


def build_seeds(config: Config) -> list[Experiment]:
    """What `prepare_seeds` does, for settings that are resolved."""
    first, count = config.train.seed, config.train.seeds
    alone = build_experiment(replace(config, train=replace(config.train, seeds=1)))
    return [alone, *(_with_seed(alone, seed) for seed in range(first + 1, first + count))]


def fingerprint(experiment: Experiment) -> dict[str, bytes]:
    """What hosts must agree on, by name: settings, and the content of rows and base."""
    # Rows and weights are compared by content, wherever they lie on each host.
    places = ("task.path", "task.name", "model.base", "adaptation.masks", "train.checkpoints")
    settings = dict(flat_settings(config_to_dict(experiment.config)))
    kept = {name: value for name, value in settings.items() if name not in places}
    digests = digest_leaves(flatten_with_paths(experiment.base.params))
    rows = {
        f"{name} rows": split.input_ids.values.tobytes() + split.labels.tobytes()
        for name, split in experiment.encoded.items()
    }
    weights = {"weights of the base": digest_all(digests).encode()}
    return {"settings": json.dumps(kept, default=str).encode(), **rows, **weights}


def _with_seed(experiment: Experiment, seed: int) -> Experiment:
    config, params = experiment.config, experiment.params
    if config.adaptation.masks is None:  # else the head is that of the earlier run
        params = with_head(params, experiment.model, jax.random.key(seed))
        params = experiment.layout.place(params)
    config = replace(config, train=replace(config.train, seed=seed))
    return experiment._replace(config=config, params=params)


def _steps_per_epoch(config: Config, encoded: dict[str, Encoded]) -> int:
    return num_batches(encoded["train"], batch_size=config.train.batch_size)


def _encode(
    config: TaskConfig, data: LoadedTask, tokenizer: Tokenizer
) -> tuple[dict[str, Encoded], list[str]]:
    """Tokenizes all splits, and gives notes on the cache."""
    encoded, notes = {}, []
    for name, split in data.splits.items():
        options = (split, tokenizer, config.max_length, config.word_piece, config.stride)
        encoded[name], more = encode_cached(*options) if config.cache else (encode(*options), [])
        notes += more
    return encoded, list(dict.fromkeys(notes))


def _warn_of_truncated(
    config: TaskConfig, base: Base, kind: TaskType, encoded: dict[str, Encoded]
) -> None:
    longest = base.config.max_positions
    if note := note_on_truncated(encoded, kind, config.max_length, config.stride, longest):
        warn(f"note      {note}")


def _hold(config: Config, base: Base, model: Model, params: Params) -> tuple[Base, Params]:
    """Rounds frozen matrices if that is asked for; the base itself then leaves the device."""
    dtype = config.model.frozen_dtype
    if dtype == "float32":
        return base, params
    on_host = base._replace(params=jax.tree.map(once_per_array(np.asarray), base.params))
    return on_host, cast_matrices(params, model, dtype)


def _check_rules(adaptation: Adaptation, params: Params) -> None:
    """Lets rules that do not fit the model fail now, and as wrong input."""
    try:
        jax.eval_shape(adaptation.init, jax.random.key(0), params)
    except ValueError as error:
        raise InputError(f"adaptation: {error}") from error
