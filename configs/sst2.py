"""Sentiment of film reviews (SST-2) with a mask over bert-base-uncased.

    python train.py --config configs/sst2.py --out runs/sst2
    python train.py --config configs/sst2.py --out runs/sst2 --model.base minilm \
        --task.path FOLDER --task.train-rows 6000 --task.holdout 0.1

The first command downloads the model and GLUE. The second one needs no network once the rows are
in FOLDER; its scores and times are in docs/results.md.
"""

from maskjax.config import Config, OptimizerConfig, TaskConfig, TrainConfig


def get_config() -> Config:
    """The experiment."""
    return Config(
        task=TaskConfig(name="glue/sst2"),
        optimizer=OptimizerConfig(learning_rate=1e-3),
        train=TrainConfig(batch_size=32, epochs=3),
    )
