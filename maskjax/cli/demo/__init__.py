"""`maskjax demo`: masks against finetuning of a real pretrained BERT, side by side."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console

from maskjax.cli.common import refuse_existing
from maskjax.cli.demo.settings import DemoSettings
from maskjax.extras import require

if TYPE_CHECKING:
    from maskjax.inference import SavedRun


def demo(settings: Annotated[DemoSettings, tyro.conf.arg(name="")]) -> None:
    """Trains a mask and finetunes the same model on the same rows, and compares the two.

    The default tasks need no network, their rows are docstrings of installed packages: which of two
    endings belongs to a beginning, and in which of two sentences are two words swapped? Words alone
    do not answer either.
    """
    from maskjax.cli.demo.comparison import compare
    from maskjax.cli.demo.examples import draw_examples, example_table
    from maskjax.cli.demo.summary import measure_memory, next_commands, score_table, sentences
    from maskjax.inference import load_run

    require("maskjax demo", "matplotlib", install="maskjax[demo]")
    refuse_existing(settings.out)
    console = Console()
    start = time.monotonic()
    comparisons = [compare(settings, task, console) for task in settings.task]
    console.print(score_table(comparisons))
    saved_runs = [load_run(comparison.mask.folder) for comparison in comparisons]
    examples = [draw_examples(saved, settings.seed) for saved in saved_runs]
    for comparison, drawn in zip(comparisons, examples, strict=True):
        console.print(example_table(comparison, drawn))
    pictures = [_draw(saved, settings.out) for saved in saved_runs]
    memory = measure_memory(saved_runs[0], comparisons[0].finetune.folder)
    for paragraph in sentences(comparisons, memory, pictures):
        console.print(f"{paragraph}\n", highlight=False, markup=False)
    seconds = round(time.monotonic() - start)
    console.print(f"Finished in {seconds // 60} min {seconds % 60} s. Next:", highlight=False)
    for line in next_commands(settings, comparisons[0], examples[0][0]):
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def _draw(saved: "SavedRun", out: Path) -> Path:
    from maskjax.analysis.mask_picture import save_picture, zeros_by_block_and_type
    from maskjax.masking.packed import count_packed

    name = saved.task.name
    path = out / f"{name.replace('/', '-')}-mask.png"
    save_picture(zeros_by_block_and_type(count_packed(saved.file.masks)), name, path)
    return path
