"""Training: the jitted step, the loop around it, and the run folder it fills."""

from maskjax.errors import NotFiniteError, StoppedError
from maskjax.training.evaluate import Evaluator
from maskjax.training.experiment import Experiment, prepare, prepare_seeds
from maskjax.training.fit import FitResult, fit, fit_seeds
from maskjax.training.hooks import Hook, Training
from maskjax.training.optimizer import cycle_ends, make_optimizer, make_schedule
from maskjax.training.results import RunResult, SeedsResult
from maskjax.training.run import run, run_seeds
from maskjax.training.seeds import Seeds
from maskjax.training.sparsity_penalty import SparsityPenalty, make_sparsity_penalty
from maskjax.training.step import TrainState, init_state, make_loss, make_train_step

__all__ = [
    "Evaluator",
    "Experiment",
    "FitResult",
    "Hook",
    "NotFiniteError",
    "RunResult",
    "Seeds",
    "SeedsResult",
    "SparsityPenalty",
    "StoppedError",
    "TrainState",
    "Training",
    "cycle_ends",
    "fit",
    "fit_seeds",
    "init_state",
    "make_loss",
    "make_optimizer",
    "make_schedule",
    "make_sparsity_penalty",
    "make_train_step",
    "prepare",
    "prepare_seeds",
    "run",
    "run_seeds",
]
