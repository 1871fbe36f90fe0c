"""What a run prints about its rows before the first step."""

import numpy as np
import pytest

from maskjax.config import AdaptationConfig, OptimizerConfig, TaskConfig
from maskjax.training import prepare
from maskjax.training.summary import describe


def test_lost_words_and_skipped_lines_are_reported(toy_config, tmp_path):
    node = "\t_" * 6
    words = [f"{place}\tgood\tgood\tADJ{node}\n" for place in range(1, 9)]
    text = f"1-2\tgoods\t_\t_{node}\n" + "".join(words) + f"\n1\tfilm\tfilm\tNOUN{node}\n"
    for split in ("train", "dev"):
        (tmp_path / f"{split}.conllu").write_text(text)
    config = toy_config(task=TaskConfig(name="ud_pos", path=str(tmp_path), max_length=8))
    lines = "\n".join(describe(prepare(config)))
    assert "rows: train 2, dev 2; 2 texts cut to 8 tokens; 4 words without a token" in lines
    assert "dev.conllu: skipped 1 multiword ranges and 0 empty nodes" in lines


@pytest.mark.parametrize(
    ("initializer", "name", "rate", "is_reported"),
    [
        ("proportional", "adamw", 1e-3, True),
        ("ones", "signsgd", 1e-3, True),
        ("proportional", "adamw", 1.0, False),
        ("proportional", "sgd", 1e-3, False),
        ("uniform", "adamw", 1e-3, False),
    ],
)
def test_scores_that_cannot_reach_the_threshold_are_reported(
    toy_config, initializer, name, rate, is_reported
):
    optimizer = OptimizerConfig(name=name, learning_rate=rate, schedule="linear", warmup=0.0)
    config = toy_config(adaptation=AdaptationConfig(initializer=initializer), optimizer=optimizer)
    experiment = prepare(config)
    lines = [line for line in describe(experiment) if "a score can move" in line]
    assert bool(lines) == is_reported
    if is_reported:
        steps = experiment.total_steps
        way = rate * np.sum(1 - np.arange(steps) / steps)
        assert f"about {way:.2g} in {steps:,} steps" in lines[0]
