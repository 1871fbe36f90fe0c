"""`maskjax demo`: masks against finetuning of a real pretrained BERT, side by side."""

import time
from collections.abc import Sequence
from pathlib import Path

import tyro
from rich.console import Console

from maskjax.cli.demo.comparison import DemoArguments, compare
from maskjax.cli.demo.examples import draw_examples, example_table
from maskjax.cli.demo.summary import measure_memory, next_commands, score_table, sentences
from maskjax.cli.info import zeros_by_block_and_kind
from maskjax.cli.picture import save_picture
from maskjax.cli.saved import refuse_existing
from maskjax.extras import require
from maskjax.inference import TaskPredictor, load_predictor
from maskjax.masking.packed import count_packed


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax demo`."""
    given = tyro.cli(DemoArguments, args=arguments, prog="maskjax demo")
    require("maskjax demo", "matplotlib", install="maskjax[demo]")
    refuse_existing(given.out)
    console = Console()
    start = time.monotonic()
    comparisons = [compare(given, task, console) for task in given.task]
    console.print(score_table(comparisons))
    predictors = [load_predictor(comparison.mask.folder) for comparison in comparisons]
    examples = [draw_examples(predictor, given.seed) for predictor in predictors]
    for comparison, drawn in zip(comparisons, examples, strict=True):
        console.print(example_table(comparison, drawn))
    pictures = [_draw(predictor, given.out) for predictor in predictors]
    memory = measure_memory(predictors[0], comparisons[0].finetune.folder)
    for paragraph in sentences(comparisons, memory, pictures):
        console.print(f"{paragraph}\n", highlight=False, markup=False)
    seconds = round(time.monotonic() - start)
    console.print(f"Finished in {seconds // 60} min {seconds % 60} s. Next:", highlight=False)
    for line in next_commands(given, comparisons[0], examples[0][0]):
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _draw(predictor: TaskPredictor, out: Path) -> Path:
    name = predictor.task.name
    path = out / f"{name.replace('/', '-')}-mask.png"
    save_picture(zeros_by_block_and_kind(count_packed(predictor.file.masks)), name, path)
    return path
