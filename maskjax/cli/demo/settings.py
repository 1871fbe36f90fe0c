"""What the demo trains: its options, and the configuration of each of its runs."""

from dataclasses import dataclass
from pathlib import Path

from maskjax.config import (
    AdaptationConfig,
    Config,
    Method,
    ModelConfig,
    OptimizerConfig,
    TaskConfig,
    TrainConfig,
)
from maskjax.options import Offline

RATES: dict[Method, float] = {"mask": 2e-3, "finetune": 1e-4}
"""Learning rates; docs/results-appendix.md has the dev scores of others."""

BATCH_SIZE = 16
ROWS, CHOICE_ROWS = 3000, 2000
"""Training rows; those of kind choice are several texts each."""

BUCKETS = (16, 24, 40, 64, 128, 256)


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """What is trained, and on what.

    Attributes:
        out: A folder that gets one run folder per task and method.
        model: `minilm`, a local folder or a Hub id.
        task: Built-in names or Hub ids.
        train_rows: Training rows per task, drawn at random; by default 2,000 for tasks of kind
            choice, whose rows are several texts, and 3,000 for others.
        eval_rows: Dev and test rows per task, drawn at random.
        epochs: Passes over the training rows.
        max_length: Tokens per text, or per pair of texts.
        seed: Seeds training, and draws the predictions that are shown.
        offline: Never ask the network, use only what is stored locally.
    """

    out: Path = Path("runs/demo")
    model: str = "minilm"
    task: tuple[str, ...] = ("docstrings/ending", "docstrings/order")
    train_rows: int | None = None
    eval_rows: int = 500
    epochs: int = 1
    max_length: int = 40
    seed: int = 0
    offline: Offline = False


def demo_config(given: DemoSettings, task: str, method: Method) -> Config:
    """Makes the configuration of one run of the demo."""
    from maskjax.tasks.registry import lookup

    rows = given.train_rows or (CHOICE_ROWS if lookup(task).kind == "choice" else ROWS)
    lengths = tuple(length for length in BUCKETS if length < given.max_length)
    return Config(
        model=ModelConfig(base=given.model, offline=given.offline),
        task=TaskConfig(
            name=task,
            train_rows=rows,
            eval_rows=given.eval_rows,
            max_length=given.max_length,
        ),
        adaptation=AdaptationConfig(method=method),
        optimizer=OptimizerConfig(learning_rate=RATES[method]),
        train=TrainConfig(
            batch_size=BATCH_SIZE,
            epochs=given.epochs,
            eval_every=-(-rows // BATCH_SIZE),
            buckets=(*lengths, given.max_length),
            seed=given.seed,
        ),
    )
