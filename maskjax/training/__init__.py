"""Training: the jitted step, the loop around it, and the run folder it fills."""

from maskjax.training.fit import FitResult, NotFiniteError, fit
from maskjax.training.losses import make_loss
from maskjax.training.optimizer import make_optimizer, make_schedule
from maskjax.training.prepare import Experiment, prepare
from maskjax.training.run import RunResult, run
from maskjax.training.step import TrainState, init_state, make_train_step

__all__ = [
    "Experiment",
    "FitResult",
    "NotFiniteError",
    "RunResult",
    "TrainState",
    "fit",
    "init_state",
    "make_loss",
    "make_optimizer",
    "make_schedule",
    "make_train_step",
    "prepare",
    "run",
]
