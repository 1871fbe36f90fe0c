"""The training loop: batches through the step, a look at the selection split, the best one kept."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from maskjax.errors import StoppedError
from maskjax.tasks import Batch, train_batches
from maskjax.training import distributed
from maskjax.training.best import Best
from maskjax.training.changes import MaskChanges, MaskHistory
from maskjax.training.evaluate import Evaluator
from maskjax.training.experiment import Experiment
from maskjax.training.loggers import Reporter
from maskjax.training.losses import make_loss
from maskjax.training.optimizer import cycle_ends, make_optimizer
from maskjax.training.prefetch import PrefetchedBatch, feed
from maskjax.training.seeds import Lanes
from maskjax.training.step import TrainState, TrainStep, init_states, make_train_step
from maskjax.training.stop import Sigterm
from maskjax.training.window import LOG_EVERY, Window, lane_names

if TYPE_CHECKING:
    from maskjax.training.checkpoint import Checkpoints


class FitResult(NamedTuple):
    """What training found.

    Attributes:
        trainable: The trainable of the best evaluation.
        step: The step of that evaluation.
        score: Its score on the selection split.
        steps: Steps that were made.
        seconds: How long they took, evaluations and compiling included; of several runs together.
    """

    trainable: Any
    step: int
    score: float
    steps: int
    seconds: float


class FitState(NamedTuple):
    """All that changes from step to step, a pytree; with it training can resume where it was.

    Attributes:
        step: Steps done, which is also the place in the data.
        train: Trainables, optimizer states and keys of all runs.
        best: Best evaluations and patience of all runs.
        masks: Masks to compare with.
        losses: Those that were not looked at yet when the state was last saved.
        seconds: How long it had taken then.
    """

    step: int
    train: TrainState
    best: Best
    masks: MaskHistory
    losses: np.ndarray
    seconds: float


def fit(experiment: Experiment, reporter: Reporter) -> FitResult:
    """Trains an experiment and keeps the trainable that scores best on the selection split.

    Args:
        experiment: From `prepare`.
        reporter: Called at every tenth step, every evaluation and every end of a cycle.

    Returns:
        The best trainable and how it was found.

    Raises:
        NotFiniteError: If the loss or a trainable array becomes infinite or NaN.
    """
    return fit_together([experiment], [reporter])[0]


def fit_together(
    experiments: Sequence[Experiment],
    reporters: Sequence[Reporter],
    checkpoints: "Checkpoints | None" = None,
) -> list[FitResult]:
    """Trains several seeds of an experiment in one program, over one copy of the base.

    Each sees the batches, the dropout, the start and the head of its own run. One that runs out of
    patience keeps its best and is carried along, and training stops when all have.

    Args:
        experiments: From `prepare_seeds`.
        reporters: One for each.
        checkpoints: Where to resume from and to save to. A run that is stopped and resumed finds
            what it would have found without a stop, bit for bit on a CPU.

    Returns:
        What `fit` would have found for each, but for the last digits of sums.

    Raises:
        NotFiniteError: If a loss or a trainable array becomes infinite or NaN.
        InputError: If a checkpoint cannot be read or written.
        StoppedError: If SIGTERM comes and there are checkpoints; the last one is of that moment.
    """
    loop = _Loop(experiments, reporters)
    state = loop.start(checkpoints)
    with Sigterm() if checkpoints else nullcontext() as sigterm:
        for fed in feed(loop.batches(done=state.step), loop.put):
            if not loop.running(state).any():
                break
            state = loop.advance(state, fed)
            if state.step in loop.looks:
                state = loop.look(state)
            if checkpoints:
                loop.keep(state, checkpoints, stop=bool(sigterm and sigterm.stops(state.step)))
    best, seconds = state.best, loop.seconds()
    return [
        FitResult(trainable, int(best.step[lane]), float(best.score[lane]), state.step, seconds)
        for lane, trainable in enumerate(loop.lanes.split(best.trainable))
    ]


class _Loop:
    """What the loop is made of: all that stays the same from step to step."""

    def __init__(self, experiments: Sequence[Experiment], reporters: Sequence[Reporter]) -> None:
        first = experiments[0]
        self._begun = time.perf_counter()
        self._experiments = experiments
        self._reporters = reporters
        self._config = first.config.train
        self._ends = cycle_ends(first.config.optimizer, first.total_steps)
        self.lanes = Lanes([some.params for some in experiments], self._config.lanes)
        self.looks = {*_evaluations(first), *self._ends}
        self._optimizer = make_optimizer(first.config.optimizer, first.total_steps)
        self._window = Window(experiments, reporters, self.lanes, self._train_step(first))
        self._evaluate = Evaluator(first)
        self._changes = MaskChanges(first.adaptation, self.lanes)

    def _train_step(self, first: Experiment) -> TrainStep:
        loss = make_loss(first.data.task.kind)
        return make_train_step(
            first.model,
            first.adaptation,
            self._optimizer,
            loss,
            self.lanes,
            layout=first.layout,
            train=self._config,
        )

    def start(self, checkpoints: "Checkpoints | None") -> FitState:
        """Everything before the first step, or after the last one that was saved."""
        fresh = self._fresh()
        state = (checkpoints.restore(fresh) if checkpoints else None) or fresh
        self._begun -= state.seconds
        self._window.resume(state.losses, state.step)
        for reporter in self._reporters:
            reporter.begin(state.step)
        return state

    def _fresh(self) -> FitState:
        first = self._experiments[0]
        params = [some.params for some in self._experiments]
        keys = [jax.random.key(some.config.train.seed) for some in self._experiments]
        train = init_states(
            first.adaptation, self._optimizer, params, keys, self.lanes, layout=first.layout
        )
        best = Best.before(train.trainable, self.lanes)
        masks = self._changes.start(train.trainable, self.lanes.params)
        return FitState(0, train, best, masks, self._window.pending(), 0.0)

    def seconds(self) -> float:
        """How long training has taken, in all processes that had a part in it."""
        return time.perf_counter() - self._begun

    def put(self, batch: Batch) -> Any:
        """Puts a batch of all runs on the devices."""
        return self._experiments[0].layout.batch(batch, lanes=self.lanes.count)

    def batches(self, done: int) -> Iterator[Batch]:
        """The batches that come after so many steps, of all runs."""
        runs = [_batches(some, done) for some in self._experiments]
        return (self.lanes.stack(batches) for batches in zip(*runs, strict=True))

    def running(self, state: FitState) -> np.ndarray:
        """Which runs have patience left, bool `[lanes]`."""
        return ~state.best.exhausted(self._config.patience)

    def advance(self, state: FitState, fed: PrefetchedBatch) -> FitState:
        """Makes one step."""
        step = state.step + 1
        train = self._window.run(state.train, fed, step, self.running(state))
        return state._replace(step=step, train=train)

    def look(self, state: FitState) -> FitState:
        """Evaluates the runs that have patience left, and reports the scores."""
        running = self.running(state)
        trainable, params = state.train.trainable, self.lanes.params
        history, values = self._changes.look(trainable, params, state.masks)
        scores = np.full(self.lanes.count, -np.inf)
        for lane in np.flatnonzero(running).tolist():
            scores[lane] = self._score(lane, trainable, state.step)
        best = state.best.update(state.step, scores, trainable, self.lanes)
        for lane in np.flatnonzero(running).tolist():
            selection = {"score": scores[lane], "selection": best.score[lane]}
            self._reporters[lane].metrics(state.step, selection | values[lane])
        self._reporters[0].evaluated(state.step)
        self._tell_of_the_end(running & best.exhausted(self._config.patience))
        return state._replace(best=best, masks=history)

    def keep(self, state: FitState, checkpoints: "Checkpoints", *, stop: bool) -> None:
        """Saves the state if it is time to, and at last before a stop."""
        if self._due(state, checkpoints) or stop:
            losses, seconds = self._window.pending(), self.seconds()
            checkpoints.save(state.step, state._replace(losses=losses, seconds=seconds))
        if stop:
            checkpoints.wait()
            raise StoppedError(f"saved at step {state.step}; the same command resumes from there.")

    def _due(self, state: FitState, checkpoints: "Checkpoints") -> bool:
        """Several hosts save together, so now and then they ask the first, and wait for it."""
        due = checkpoints.due(best=bool((state.best.step == state.step).any()))
        if not distributed.is_multiprocess():
            return due
        return (
            state.step % LOG_EVERY == 0 or state.step in self.looks
        ) and distributed.broadcast_from_primary(due)

    def _score(self, lane: int, trainable: Any, step: int) -> float:
        mine = self.lanes.one(trainable, lane)
        score = self._evaluate(self._experiments[lane], mine)
        if step in self._ends:
            self._reporters[lane].snapshot(self._ends.index(step) + 1, score, mine)
        return score

    def _tell_of_the_end(self, stopped: np.ndarray) -> None:
        names = lane_names(self._experiments)
        for lane in np.flatnonzero(stopped).tolist():
            text = f"no better score in {self._config.patience} evaluations: stopped"
            self._reporters[lane].message(names[lane] + text)


def _evaluations(experiment: Experiment) -> Iterator[int]:
    """The steps after which there is an evaluation; the last is one of them."""
    total = experiment.total_steps
    every = experiment.config.train.eval_every or math.ceil(experiment.steps_per_epoch / 2)
    yield from range(every, total, every)
    yield total


def _batches(experiment: Experiment, done: int) -> Iterator[Batch]:
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
