"""Hooks of the training loop: what is called after each step.

`hook.py` says what a hook is and what it sees. `LogMetrics`, `CompareMasks` and `KeepBest` are part
of every training; `run` adds the files of a run folder, the display and the checkpoints.
"""

from maskjax.training.hooks.best import Best, KeepBest
from maskjax.training.hooks.checkpoints import SaveCheckpoints, Sigterm, StopAtSigterm
from maskjax.training.hooks.display import ShowProgress
from maskjax.training.hooks.hook import Hook, Training
from maskjax.training.hooks.log import LogMetrics
from maskjax.training.hooks.masks import CompareMasks
from maskjax.training.hooks.recorder import Recorder

__all__ = [
    "Best",
    "CompareMasks",
    "Hook",
    "KeepBest",
    "LogMetrics",
    "Recorder",
    "SaveCheckpoints",
    "ShowProgress",
    "Sigterm",
    "StopAtSigterm",
    "Training",
]
