"""Type of a question (TREC, six classes) with the paper's masking.

    python train.py --config configs/trec.py --out runs/trec

Scores and times are in docs/results.md.
"""

from maskjax.config import AdaptationConfig, Config, OptimizerConfig, TaskConfig, TrainConfig


def get_config() -> Config:
    """The experiment."""
    return Config(
        task=TaskConfig(name="trec", holdout=0.1),
        adaptation=AdaptationConfig(sparsity=0.05),
        optimizer=OptimizerConfig(learning_rate=3e-3),
        train=TrainConfig(batch_size=32, epochs=3),
    )
