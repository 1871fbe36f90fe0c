"""Which library is this docstring from? The built-in task, which needs no network.

python train.py --config configs/docstrings.py --out runs/docstrings
"""

from maskjax.config import Config, ModelConfig, OptimizerConfig, TaskConfig, TrainConfig


def get_config() -> Config:
    """The experiment."""
    return Config(
        model=ModelConfig(base="minilm"),
        task=TaskConfig(name="docstrings/library", max_length=32),
        optimizer=OptimizerConfig(learning_rate=1e-3),
        train=TrainConfig(epochs=2, buckets=(16, 32)),
    )
