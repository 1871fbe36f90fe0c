"""A whole run as one frozen dataclass."""

from dataclasses import dataclass, field

from maskjax.config.adaptation import AdaptationConfig
from maskjax.config.mesh import MeshConfig
from maskjax.config.model import ModelConfig
from maskjax.config.optimizer import OptimizerConfig
from maskjax.config.task import TaskConfig
from maskjax.config.train import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole run.

    Attributes:
        model: The pretrained model.
        task: The rows and the metric.
        adaptation: What is learned.
        optimizer: How it moves.
        train: How long.
        mesh: On which devices.

    Example:
        >>> Config(train=TrainConfig(epochs=1)).train.epochs
        1
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    adaptation: AdaptationConfig = field(default_factory=AdaptationConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    mesh: MeshConfig = field(default_factory=MeshConfig)
