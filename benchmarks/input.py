"""What it costs to feed the device: tokenizing, reading it back, batching, and waiting.

    python -m benchmarks.input --path DATA/sst2 --text sentence
    python -m benchmarks.input --path DATA/sst2 --text sentence --steps 0   # tokenizing alone

Cold is the training split through the tokenizer and into an empty cache, cached the same split out
of it, each with the key of the entry. A batch is collated and put on the device, as `feed` does it
in its thread, over a whole epoch. Waiting is what a run logs as `input_wait`: seconds in which the
loop stood still for a batch, over those of its steps, in windows without compiling or evaluation.
"""

import os
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import jax
import tyro

from benchmarks.harness import say, timed
from maskjax.config import Config, ModelConfig, TaskConfig, TrainConfig
from maskjax.models.hub import resolve
from maskjax.tasks import (
    Encoded,
    encode_cached,
    load_task,
    load_tokenizer,
    num_batches,
    train_batches,
)
from maskjax.training import Hook, Training, fit, prepare


def main(
    *,
    path: Path,
    text: tuple[str, ...] = ("text",),
    label: str = "label",
    model: str = "minilm",
    rows: int = 32,
    steps: int = 60,
) -> None:
    """Prints a line for each measure.

    Args:
        path: A folder of rows.
        text: Its text columns.
        label: Its label column.
        model: The base.
        rows: Rows of a batch.
        steps: Training steps to watch; 0 trains nothing.
    """
    task = TaskConfig(name="input", path=str(path), text=text, label=label)
    config = Config(model=ModelConfig(base=model), task=task, train=TrainConfig(batch_size=rows))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MASKJAX_CACHE"] = folder
        encoded = _tokenize(config)
        _batch(config, encoded)
        if steps:
            _train(config, steps)


def _tokenize(config: Config) -> Encoded:
    split = load_task(config.task).splits["train"]
    tokenizer = load_tokenizer(resolve(config.model.base).folder)

    def encode() -> Encoded:
        return encode_cached(split, tokenizer, config.task.max_length)[0]

    encoded, cold = timed(encode)
    _, cached = timed(encode)
    say(f"tokenizing {encoded.rows:,} rows: {cold:.2f} s cold, {cached:.2f} s cached")
    return encoded


def _batch(config: Config, encoded: Encoded) -> None:
    train = config.train
    batches = train_batches(
        encoded, batch_size=train.batch_size, buckets=train.buckets, pad_id=0, seed=0, epoch=0
    )
    _, seconds = timed(lambda: [jax.block_until_ready(jax.device_put(b)) for b in batches])
    each = seconds / num_batches(encoded, train.batch_size)
    say(f"a batch of {train.batch_size}: {1e3 * each:.2f} ms to collate and put on the device")


def _train(config: Config, steps: int) -> None:
    rows = config.train.batch_size
    task = replace(config.task, train_rows=steps * rows, eval_rows=rows)
    train = replace(config.train, epochs=1, eval_every=steps)
    heard = _Waits()
    fit(prepare(replace(config, task=task, train=train)), [heard])
    share, step = statistics.fmean(heard.shares), rows / statistics.median(heard.speeds)
    say(f"waiting: {share:.3%} of a step of {step:.3f} s; worst window {max(heard.shares):.3%}")


class _Waits(Hook):
    """Keeps what the log says of speed and of waiting."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.speeds: list[float] = []

    def __call__(self, training: Training) -> None:
        numbers = training.numbers[0]
        if "input_wait" in numbers:
            self.shares.append(numbers["input_wait"])
            self.speeds.append(numbers["examples_per_second"])


if __name__ == "__main__":
    tyro.cli(main)
