"""Published encoders from the live Hub: logits against PyTorch, and fifty steps of training.

    python -m experiments.live                       # make live: downloads some gigabytes
    python -m experiments.live --models distilbert-base-uncased

Each model gets the same new classifier here and in PyTorch, and the largest difference of their
logits on 32 sentences is noted; then a mask is trained for 50 steps of SST-2. What is found goes
into `maskjax/models/tried.json`, which `maskjax models` shows. A model that cannot be loaded is a
line with its error.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from transformers import AutoModelForSequenceClassification

from benchmarks.families import params_of
from maskjax.config import Config, ModelConfig, TaskConfig, TrainConfig
from maskjax.errors import InputError
from maskjax.models import Base, build_model, load_base
from maskjax.models.tried import TRIED, read_tried, write_tried
from maskjax.tasks.tokenizer_convert import load_with_transformers
from maskjax.training import run

MODELS = (
    "answerdotai/ModernBERT-base",
    "FacebookAI/xlm-roberta-base",
    "microsoft/deberta-v3-small",
    "google/electra-base-discriminator",
    "google-bert/bert-base-uncased",
    "FacebookAI/roberta-base",
    "distilbert/distilbert-base-uncased",
)
SENTENCES = [
    f"The {thing} was {'not ' * (number % 2)}{quality}{'!' * (number // 8)}"
    for number, (thing, quality) in enumerate(
        (thing, quality)
        for thing in ("film", "résumé", "weather in Zürich", "quick brown fox")
        for quality in ("good", "bad", "long", "blue", "easy", "loud", "wet", "free of charge")
    )
]
STEPS, BATCH_SIZE = 50, 32


def main(
    *,
    models: tuple[str, ...] = MODELS,
    rows: str | None = None,
    out: Path = Path("runs/live"),
    file: Path = TRIED,
) -> None:
    """Tries models, and prints and keeps what was found.

    Args:
        models: Hub ids or folders.
        rows: A folder with rows of SST-2, in place of those of the Hub.
        out: A folder that gets one run folder a model.
        file: Where the results are kept.
    """
    tried, console = read_tried(file), Console(soft_wrap=True, highlight=False, markup=False)
    for name in models:
        found = tried.live[name] = try_model(name, rows, out / name.replace("/", "-"))
        console.print(f"{name}: {found}")
        write_tried(tried, file)


def try_model(name: str, rows: str | None, out: Path) -> dict[str, Any]:
    """The family of a model, its difference from PyTorch and its score, or why there is none."""
    try:
        base = load_base(name)
        found = {"family": base.config.family, "logits": _difference(base)}
        return found | {"sst2": _train(base, rows, out)}
    except InputError as error:
        return {"error": str(error)}


def _difference(base: Base) -> float:
    """The largest difference of any logit."""
    torch.manual_seed(0)
    oracle = AutoModelForSequenceClassification.from_pretrained(base.folder, num_labels=3).eval()
    model = build_model(base.config, 3)
    encoded = load_with_transformers(base.folder)(SENTENCES, padding=True, return_tensors="np")
    inputs: dict[str, Any] = {key: np.asarray(value, np.int32) for key, value in encoded.items()}
    with torch.no_grad():
        tensors = {key: torch.tensor(value.astype(np.int64)) for key, value in inputs.items()}
        expected = oracle(**tensors).logits.numpy()
    inputs.setdefault("token_type_ids", np.zeros_like(inputs["input_ids"]))
    ours = model.apply(params_of(model, oracle, base.config.family), inputs)
    return float(np.abs(np.asarray(ours) - expected).max())


def _train(base: Base, rows: str | None, out: Path) -> float:
    """The dev score of SST-2 after `STEPS` steps."""
    task = TaskConfig(
        name="glue/sst2",
        path=rows,
        max_length=min(64, base.config.max_positions),
        train_rows=STEPS * BATCH_SIZE,
        eval_rows=500,
    )
    training = TrainConfig(batch_size=BATCH_SIZE, epochs=1)
    config = Config(model=ModelConfig(base=base.name), task=task, train=training)
    return run(config, out).scores["dev"]


if __name__ == "__main__":
    tyro.cli(main)
