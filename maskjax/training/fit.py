"""The training loop: batches through the step, and hooks after each."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from maskjax.progress import announced, notify
from maskjax.tasks import Batch, train_batches
from maskjax.training.experiment import Experiment
from maskjax.training.hooks import (
    CompareMasks,
    Hook,
    KeepBest,
    LogMetrics,
    SaveCheckpoints,
    Sigterm,
    StopAtSigterm,
    Training,
)
from maskjax.training.optimizer import cycle_ends
from maskjax.training.prefetch import PrefetchedBatch, feed
from maskjax.training.seeds import Seeds
from maskjax.training.step import TrainState, TrainStep, init_state, make_loss, make_train_step

if TYPE_CHECKING:
    from maskjax.training.checkpoint import Checkpoints


class FitResult(NamedTuple):
    """What training found.

    Attributes:
        trainable: The trainable of the best evaluation.
        step: The step of that evaluation.
        score: Its score on the selection split.
        steps: Steps that were made.
        seconds: How long they took, evaluations and compiling included; of several seeds together.
    """

    trainable: Any
    step: int
    score: float
    steps: int
    seconds: float


def fit(experiment: Experiment, hooks: Sequence[Hook] = ()) -> FitResult:
    """Trains an experiment and keeps the trainable that scores best on the selection split.

    Args:
        experiment: From `prepare`.
        hooks: Called after each step, once the numbers of the step are there.

    Returns:
        The best trainable and how it was found.

    Raises:
        NotFiniteError: If the loss or a trainable array becomes infinite or NaN.

    Example:
        >>> from maskjax.training import Hook, prepare
        >>> class CountSteps(Hook):
        ...     steps = 0
        ...     def __call__(self, training):
        ...         self.steps += 1
        >>> counter = CountSteps()
        >>> result = fit(prepare(config), [counter])
        >>> counter.steps
        6
    """
    return fit_seeds([experiment], hooks)[0]


def fit_seeds(
    experiments: Sequence[Experiment],
    hooks: Sequence[Hook] = (),
    checkpoints: "Checkpoints | None" = None,
) -> list[FitResult]:
    """Trains several seeds of an experiment in one program, over one copy of the base.

    Each sees the batches, the dropout, the start and the head of its own run. One that runs out of
    patience keeps its best and is carried along, and training stops when all have.

    Args:
        experiments: From `prepare_seeds`.
        hooks: Called after each step, once the numbers of the step are there.
        checkpoints: Where to resume from and to save to. A run that is stopped and resumed finds
            what it would have found without a stop, bit for bit on a CPU.

    Returns:
        What `fit` would have found for each, but for the last digits of sums.

    Raises:
        NotFiniteError: If a loss or a trainable array becomes infinite or NaN.
        InputError: If a checkpoint cannot be read or written.
        StoppedError: If SIGTERM comes and there are checkpoints; the last one is of that moment.
    """
    training = _initialize(experiments)
    first, seeds = experiments[0], training.seeds
    step = make_train_step(
        first.model,
        first.adaptation,
        first.optimizer,
        make_loss(first.data.task.kind),
        seeds,
        penalty=first.penalty,
        layout=first.layout,
        train=first.config.train,
    )
    best = KeepBest()
    called: list[Hook] = [LogMetrics(), CompareMasks(), best, *hooks]
    for hook in called:
        hook.state = hook.init(training)
    with ExitStack() as stack:
        if checkpoints:
            saver = SaveCheckpoints(checkpoints, best, tuple(called))
            saver.restore(training)
            called += [StopAtSigterm(stack.enter_context(Sigterm()), saver), saver]
        for hook in called:
            hook.begin(training)
        put = lambda batch: first.layout.batch(batch, seeds=seeds.count)  # noqa: E731
        for batch in feed(_batches(experiments, seeds, training.step), put):
            if not training.running.any():
                break
            _advance(training, step, batch)
            for hook in called:
                hook(training)
    seconds = training.seconds()
    return [
        FitResult(
            seeds.take(best.state.trainable, seed),
            int(best.state.step[seed]),
            float(best.state.score[seed]),
            training.step,
            seconds,
        )
        for seed in range(seeds.count)
    ]


def _initialize(experiments: Sequence[Experiment]) -> Training:
    """The training before its first step."""
    begun, first = time.perf_counter(), experiments[0]
    seeds = Seeds([experiment.params for experiment in experiments], first.config.train.seed_loop)
    ends = cycle_ends(first.config.optimizer, first.total_steps)
    keys = [jax.random.key(experiment.config.train.seed) for experiment in experiments]

    def init(keys: list[jax.Array], params: list[Any]) -> TrainState:
        parts = first.adaptation, first.optimizer
        return seeds.stack(
            [init_state(*parts, p, k, first.penalty) for k, p in zip(keys, params, strict=True)]
        )

    state = first.layout.make(init, keys, [experiment.params for experiment in experiments])
    steps = frozenset((*_evaluations(first), *ends))
    running = np.full(seeds.count, True)
    return Training(experiments, seeds, state, steps, ends, running, begun=begun)


def _advance(training: Training, step: TrainStep, batch: PrefetchedBatch) -> None:
    """Makes one step; one that is compiled for it says so."""
    training.step += 1
    training.batch = batch
    training.numbers = [{} for _ in training.experiments]
    arguments = (training.state, training.seeds.params, batch.batch)
    shape = batch.batch["input_ids"].shape
    if shape in training.compiled:
        training.state, training.metrics = step(*arguments)
        return
    training.compiled.add(shape)
    start = time.perf_counter()
    text = f"the step for {' x '.join(map(str, shape))} tokens"
    with announced(f"compiling {text}"):
        training.state, training.metrics = jax.block_until_ready(step(*arguments))
    seconds = time.perf_counter() - start
    training.compile_seconds += seconds
    notify(f"compiled {text} in {seconds:.1f} s")


def _evaluations(experiment: Experiment) -> Iterator[int]:
    """The steps after which there is an evaluation; the last is one of them."""
    total = experiment.total_steps
    every = experiment.config.train.eval_every or math.ceil(experiment.steps_per_epoch / 2)
    yield from range(every, total, every)
    yield total


def _batches(experiments: Sequence[Experiment], seeds: Seeds, done: int) -> Iterator[Batch]:
    """The batches that come after so many steps, of all seeds."""
    by_seed = [_batches_of(experiment, done) for experiment in experiments]
    return (seeds.stack(batches) for batches in zip(*by_seed, strict=True))


def _batches_of(experiment: Experiment, done: int) -> Iterator[Batch]:
    config = experiment.config.train
    epoch, begun = divmod(done, experiment.steps_per_epoch)
    for number in range(epoch, config.epochs):
        batches = train_batches(
            experiment.encoded["train"],
            batch_size=config.batch_size,
            buckets=config.buckets,
            pad_id=experiment.base.config.pad_token_id,
            seed=config.seed,
            epoch=number,
        )
        yield from islice(batches, begun if number == epoch else 0, None)
