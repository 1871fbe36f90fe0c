"""A curve between two runs, walked along: losses and scores of its points."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import count
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from maskjax.analysis.captions import TRAIN
from maskjax.analysis.curve_fitting import BendTraining
from maskjax.analysis.interpolation import CURVES, CurveName
from maskjax.analysis.landscape import Landscape
from maskjax.analysis.resumable import Key
from maskjax.analysis.runs import Run
from maskjax.inference import model_inputs
from maskjax.models.model import Params
from maskjax.tasks import Batch, Encoded, train_batches
from maskjax.training import make_loss


@dataclass(frozen=True, kw_only=True)
class Walk:
    """How curves are walked along."""

    points: int  # of a curve, both ends included
    rows: int  # the first so many of each split
    split: str  # the split to score in addition to train
    steps: int  # of the training of a bend, on all training rows
    learning_rate: float  # the highest one of a bend's training
    seed: int = 0  # of a bend's training: its rows and its γ


class Walker:
    """Computes jobs: a curve between two runs."""

    def __init__(self, runs: Sequence[Run], walk: Walk, console: Console) -> None:
        self._first, self._runs = runs[0], {tag(run): run for run in runs}
        self._walk, self._console = walk, console

    def key(self, first: Run, last: Run, curve: CurveName) -> dict[str, Any]:
        """The key of a job, which includes the settings."""
        walk = asdict(self._walk)
        bend = {name: walk.pop(name) for name in ("steps", "learning_rate", "seed")}
        key = {"first": tag(first), "last": tag(last), "curve": curve, **walk}
        return key if curve == "line" else {**key, **bend}

    def __call__(self, key: Key) -> dict[str, Any]:
        """Computes a job: for each split its rows, losses and scores."""
        first, last = (self._runs[key[end]].saved.params for end in ("first", "last"))
        between = () if key["curve"] == "line" else (self._bend((first, last), key["curve"]),)
        weights = np.asarray(CURVES[key["curve"]](jnp.linspace(0, 1, self._walk.points)))
        result = {}
        for split, landscape in self._landscapes.items():
            points = landscape((first, *between, last), weights)
            heights = {"loss": points.loss.tolist(), "score": points.score.tolist()}
            result[split] = {"rows": landscape.rows, **heights}
        return result

    @cached_property
    def _landscapes(self) -> dict[str, Landscape]:
        return {
            split: landscape_of(self._first, split, self._walk.rows)
            for split in (TRAIN, self._walk.split)
        }

    def _bend(self, ends: tuple[Params, Params], curve: CurveName) -> Params:
        def report(step: int, value: float) -> None:
            if step % max(self._walk.steps // 5, 1) == 0:
                line = f"{curve}: step {step} of {self._walk.steps}, loss {value:.4f}"
                self._console.print(line, highlight=False)

        key = jax.random.key(self._walk.seed)
        return self._trainings[curve](ends, self._batches(), key=key, report=report)

    @cached_property
    def _trainings(self) -> dict[CurveName, BendTraining]:
        """One a curve, compiled when first used."""
        model, walk = self._first.saved.model, self._walk
        loss = make_loss(model.kind)

        def point_loss(params: Params, batch: dict[str, jax.Array]) -> jax.Array:
            logits = model.apply(params, model_inputs(batch))
            return loss(logits, batch["labels"], batch["weights"])

        options = {"steps": walk.steps, "learning_rate": walk.learning_rate}
        bent: tuple[CurveName, ...] = ("bezier", "chain")
        return {name: BendTraining(point_loss, CURVES[name], **options) for name in bent}

    @cached_property
    def _encoded(self) -> Encoded:
        """The training rows, all of them."""
        return self._first.saved.encode(self._first.split(TRAIN))

    def _batches(self) -> Iterator[Batch]:
        """Epoch after epoch, without end."""
        saved = self._first.saved
        for epoch in count():
            yield from train_batches(
                self._encoded,
                batch_size=saved.config.train.batch_size,
                buckets=saved.config.train.buckets,
                pad_id=saved.base.config.pad_token_id,
                seed=self._walk.seed,
                epoch=epoch,
            )


def landscape_of(run: Run, split: str, rows: int) -> Landscape:
    """The landscape over the rows of a run."""
    saved, train = run.saved, run.saved.config.train
    encoded = saved.encode(run.split(split, rows))
    return Landscape(
        saved.model,
        saved.task,
        encoded,
        batch_size=train.batch_size,
        buckets=train.buckets,
    )


def tag(run: Run) -> str:
    """Names what was trained, whatever its folder is called."""
    return f"{run.method}-{run.seed}-{run.digest}"
