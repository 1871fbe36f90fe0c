"""Training: the jitted step, the loop around it, and the run folder it fills."""

from maskjax.errors import NotFiniteError, StoppedError
from maskjax.training.evaluate import Evaluator
from maskjax.training.experiment import Experiment, prepare, prepare_seeds
from maskjax.training.fit import FitResult, FitState, fit, fit_together
from maskjax.training.losses import make_loss
from maskjax.training.optimizer import cycle_ends, make_optimizer, make_schedule
from maskjax.training.results import RunResult, SeedsResult
from maskjax.training.run import run, run_seeds
from maskjax.training.seeds import LaneParams, Lanes
from maskjax.training.step import TrainState, init_state, init_states, make_train_step

__all__ = [
    "Evaluator",
    "Experiment",
    "FitResult",
    "FitState",
    "LaneParams",
    "Lanes",
    "NotFiniteError",
    "RunResult",
    "SeedsResult",
    "StoppedError",
    "TrainState",
    "cycle_ends",
    "fit",
    "fit_together",
    "init_state",
    "init_states",
    "make_loss",
    "make_optimizer",
    "make_schedule",
    "make_train_step",
    "prepare",
    "prepare_seeds",
    "run",
    "run_seeds",
]
