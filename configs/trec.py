"""Type of a question (TREC, six classes) with a mask over bert-base-uncased.

    python train.py --config configs/trec.py --out runs/trec

Scores and times are in docs/results.md.
"""

from maskjax.config import Config, OptimizerConfig, TaskConfig, TrainConfig


def get_config() -> Config:
    """The experiment."""
    return Config(
        task=TaskConfig(name="trec", holdout=0.1),
        optimizer=OptimizerConfig(learning_rate=1e-3),
        train=TrainConfig(batch_size=32, epochs=3),
    )
