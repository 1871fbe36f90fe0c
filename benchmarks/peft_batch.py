"""Mixed batches of many tasks: masks here, LoRA adapters in PEFT on PyTorch, in one process.

    pip install --no-deps peft accelerate
    python -m benchmarks.peft_batch

MiniLM, 16 rows of 128 tokens, each of another task. PEFT's `adapter_names` picks an adapter for
each row (r=8 on query and value). Rounds time every form once, in turns; each library is held
against its own dense batch of the same rows, since the two differ in that already.
"""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import tyro
from peft import LoraConfig, get_peft_model  # pyright: ignore[reportMissingImports]
from transformers import AutoModelForSequenceClassification

from benchmarks.harness import median_ratio, seconds_in_turns
from benchmarks.many_tasks import MIXED, TOKENS, dense_batch, write_tasks
from maskjax.inference import Predictor
from maskjax.models import load_base
from maskjax.models.minilm import minilm_folder


def main(*, rounds: int = 15, threads: int = 2) -> None:
    """Prints medians and ratios.

    Args:
        rounds: Timed runs of each form.
        threads: Of PyTorch.
    """
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        forms = _masks(Path(folder)) | _adapters()
    times = seconds_in_turns(forms, rounds, warm_up=2)
    for name, each in times.items():
        dense = times[name.split(",")[0] + ", dense"]
        ratio = median_ratio(each, dense)
        print(f"{name:24} {1e3 * statistics.median(each):7.0f} ms, {ratio:.2f} of its dense batch")


def _masks(folder: Path) -> dict[str, Callable[[], Any]]:
    base = minilm_folder()
    predictor = Predictor(str(base), write_tasks(load_base(base), folder)[:MIXED], hot_bytes=0)
    text = "the " * (2 * TOKENS)
    rows = [predictor.prepare([text], name)[0] for name in predictor.tasks]
    return {
        "maskjax, dense": dense_batch(base, rows),
        "maskjax, 16 masks": lambda: predictor.run(rows),
    }


def _adapters() -> dict[str, Callable[[], Any]]:
    load = AutoModelForSequenceClassification.from_pretrained
    plain = load(minilm_folder()).eval()
    config = LoraConfig(r=8, target_modules=["query", "value"], task_type="SEQ_CLS")
    names = [f"task{number}" for number in range(MIXED)]
    model = get_peft_model(load(minilm_folder()), config, adapter_name=names[0])
    for name in names[1:]:
        model.add_adapter(name, config)
    model.eval()
    ids = torch.full((MIXED, TOKENS), 1996)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def run(network: Any, **options: Any) -> None:
        with torch.inference_mode():
            network(**inputs, **options)

    return {
        "PEFT, dense": lambda: run(plain),
        "PEFT, 16 adapters": lambda: run(model, adapter_names=names),
    }


if __name__ == "__main__":
    tyro.cli(main)
