"""The training loop: batches through the step, a look at the selection split, the best one kept."""

import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.inference.logits import make_predict, predict_logits, score_logits
from maskjax.masking import leaves_by_path
from maskjax.tasks import Batch, train_batches
from maskjax.training.losses import make_loss
from maskjax.training.optimizer import make_optimizer, make_schedule
from maskjax.training.prepare import Experiment
from maskjax.training.reporting import Reporter
from maskjax.training.step import TrainState, TrainStep, init_state, make_train_step

LOG_EVERY = 10
"""Steps between two looks at the loss; each look waits for the device."""


class NotFiniteError(ArithmeticError):
    """The loss or a trainable array became infinite or NaN; the message names steps and leaf."""


class FitResult(NamedTuple):
    """What training found.

    Attributes:
        trainable: The trainable of the best evaluation.
        step: The step of that evaluation.
        score: Its score on the selection split.
        steps: Steps that were made.
        seconds: How long they took, evaluations and compiling included.
    """

    trainable: Any
    step: int
    score: float
    steps: int
    seconds: float


def fit(experiment: Experiment, reporter: Reporter) -> FitResult:
    """Trains an experiment and keeps the trainable that scores best on the selection split.

    Args:
        experiment: From `prepare`.
        reporter: Told of every tenth step and every evaluation.

    Returns:
        The best trainable and how it was found.

    Raises:
        NotFiniteError: If the loss or a trainable array becomes infinite or NaN.
    """
    config = experiment.config.train
    total = experiment.total_steps
    optimizer = make_optimizer(experiment.config.optimizer, total)
    loss = make_loss(experiment.data.task.kind)
    train_step = make_train_step(experiment.model, experiment.adaptation, optimizer, loss)
    key = jax.random.key(config.seed)
    state = init_state(experiment.adaptation, optimizer, experiment.params, key)
    evaluate = Evaluator(experiment)
    best = Best(patience=config.patience)
    every = min(config.eval_every or math.ceil(experiment.steps_per_epoch / 2), total)
    window = Window(experiment, reporter, total)
    start = time.perf_counter()
    step = 0
    for step, batch in enumerate(_batches(experiment), start=1):
        state = window.run(train_step, state, batch, step)
        if step % every == 0 or step == total:
            score = evaluate(state.trainable)
            best = best.update(step, score, state.trainable)
            reporter.metrics(step, {"score": score, "selection": best.score})
            if best.exhausted:
                reporter.message(f"no better score in {config.patience} evaluations: stopped")
                break
    return FitResult(best.trainable, best.step, best.score, step, time.perf_counter() - start)


class Best(NamedTuple):
    """The best evaluation so far.

    Attributes:
        patience: Evaluations without a better score to sit through; None means any number.
        score: Of the best evaluation; minus infinity before the first.
        step: Of the best evaluation.
        trainable: A copy, since the step donates its state.
        waited: Evaluations since then.
    """

    patience: int | None
    score: float = -math.inf
    step: int = 0
    trainable: Any = None
    waited: int = 0

    def update(self, step: int, score: float, trainable: Any) -> "Best":
        """Takes an evaluation in; among equal scores the earlier one stays."""
        if score > self.score:
            return Best(self.patience, score, step, jax.tree.map(jnp.copy, trainable))
        return self._replace(waited=self.waited + 1)

    @property
    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and self.waited >= self.patience


class Evaluator:
    """Scores a trainable on the rows of one split; compiles once per length of a batch.

    Args:
        experiment: The experiment.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._predict = make_predict(experiment.model)
        self._adapt = jax.jit(experiment.adaptation.apply)

    def __call__(self, trainable: Any, split: str | None = None) -> float:
        """Scores on `split`, by default the one that selects."""
        experiment = self._experiment
        split = split or experiment.data.selection
        encoded = experiment.encoded[split]
        logits = predict_logits(
            self._predict,
            self._adapt(trainable, experiment.params),
            encoded,
            batch_size=experiment.config.train.batch_size,
            buckets=experiment.config.train.buckets,
            pad_id=experiment.base.config.pad_token_id,
        )
        return score_logits(experiment.data.task, logits, encoded.labels, encoded.sizes)


class Window:
    """Runs steps without waiting for each one, and looks at the loss every `LOG_EVERY` steps.

    Args:
        experiment: The experiment.
        reporter: Told at each look, and when a new length of batches is compiled.
        total: Steps of the whole run.
    """

    def __init__(self, experiment: Experiment, reporter: Reporter, total: int) -> None:
        self._experiment = experiment
        self._reporter = reporter
        self._total = total
        optimizer = experiment.config.optimizer
        self._rate = make_schedule(optimizer, optimizer.learning_rate, total)
        self._stats = jax.jit(experiment.adaptation.stats)
        self._lengths: set[int] = set()
        self._begin()

    def run(self, train_step: TrainStep, state: TrainState, batch: Batch, step: int) -> TrainState:
        """Makes one step."""
        length = batch["input_ids"].shape[1]
        if length not in self._lengths:
            self._lengths.add(length)
            state, metrics = self._compile(train_step, state, batch, length)
        else:
            state, metrics = train_step(state, self._experiment.params, batch)
        self._losses.append(metrics["loss"])
        self._rows += int(batch["weights"].sum())
        if step % LOG_EVERY == 0 or step == self._total:
            self._look(state, step, metrics)
        return state

    def _compile(
        self, train_step: TrainStep, state: TrainState, batch: Batch, length: int
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        start = time.perf_counter()
        result = jax.block_until_ready(train_step(state, self._experiment.params, batch))
        seconds = time.perf_counter() - start
        self._compiling += seconds
        self._reporter.message(
            f"compiled the step for {len(batch['weights'])} x {length} tokens in {seconds:.1f} s"
        )
        return result

    def _look(self, state: TrainState, step: int, metrics: dict[str, jax.Array]) -> None:
        losses = np.array(jax.device_get(self._losses))
        if not np.isfinite(losses).all():
            first = step - len(losses) + 1
            raise NotFiniteError(_describe(state.trainable, first, step))
        seconds = max(time.perf_counter() - self._start - self._compiling, 1e-9)
        stats = self._stats(state.trainable, self._experiment.params)
        values = {
            "loss": losses.mean(),
            "gradient_norm": metrics["gradient_norm"],
            "learning_rate": self._rate(step - 1),
            "examples_per_second": self._rows / seconds,
            **stats,
        }
        self._reporter.metrics(step, {name: float(value) for name, value in values.items()})
        self._begin()

    def _begin(self) -> None:
        self._losses: list[jax.Array] = []
        self._rows = 0
        self._compiling = 0.0
        self._start = time.perf_counter()


def _batches(experiment: Experiment) -> Iterator[Batch]:
    config = experiment.config.train
    for epoch in range(config.epochs):
        yield from train_batches(
            experiment.encoded["train"],
            batch_size=config.batch_size,
            buckets=config.buckets,
            pad_id=experiment.base.config.pad_token_id,
            seed=config.seed,
            epoch=epoch,
        )


def _describe(trainable: Any, first: int, last: int) -> str:
    broken = [
        path
        for path, leaf in leaves_by_path(trainable).items()
        if not bool(jnp.isfinite(leaf).all())
    ]
    where = (
        f"first trainable array that is not finite: {broken[0]}" if broken else "scores are finite"
    )
    return (
        f"the loss became NaN or infinite between steps {first} and {last}; {where}. "
        "Lower --optimizer.learning-rate, or set --optimizer.clip."
    )
