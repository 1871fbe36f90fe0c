"""Grammatical acceptability (CoLA, Matthews correlation) with a mask over bert-base-uncased.

    python train.py --config configs/cola.py --out runs/cola

Scores and times are in docs/results.md. The paper's own recipe is

    --adaptation.start uniform --adaptation.head masked --optimizer.learning-rate 3e-3
"""

from maskjax.config import Config, OptimizerConfig, TaskConfig, TrainConfig


def get_config() -> Config:
    """The experiment."""
    return Config(
        task=TaskConfig(name="glue/cola"),
        optimizer=OptimizerConfig(learning_rate=1e-3),
        train=TrainConfig(batch_size=32, epochs=3),
    )
