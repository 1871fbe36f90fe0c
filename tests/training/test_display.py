"""The display of a run on a terminal and in a log file."""

import io
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from rich.console import Console

from maskjax.progress import Counter, Progress
from maskjax.training import run, run_seeds
from maskjax.training.hooks import ShowProgress

LINE = r"mask toy: step (\d+)/12, \d+:\d\d:\d\d left, .*best 0\.\d{4}, score 0\.\d{4}"


def console(width=80, *, terminal):
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        force_interactive=terminal,
        width=width,
        _environ={},
    )


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_log_file_gets_one_line_per_evaluation(toy_config, tmp_path, seeds):
    config = toy_config()
    log = console(terminal=False)
    train = run if seeds == 1 else run_seeds
    train(replace(config, train=replace(config.train, seeds=seeds)), tmp_path / "run", console=log)
    lines = log.file.getvalue().splitlines()
    steps = [int(found[1]) for line in lines if (found := re.fullmatch(LINE + ".*", line))]
    assert steps == [3, 6, 9, 12]
    assert lines[:2] == ["loading the rows of toy", f"loading {config.model.base}"]
    compiling = [line for line in lines if "the step for" in line]
    assert [line.split(" ")[0] for line in compiling] == ["compiling", "compiled"] * 2
    assert any(line.startswith("scoring the best step") for line in lines)


@pytest.mark.parametrize("width", [60, 80])
def test_every_frame_of_a_run_on_a_terminal_fits(toy_config, tmp_path, width):
    screen = console(width, terminal=True)
    run(toy_config(), tmp_path / "run", console=screen)
    output = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.file.getvalue())
    frames = [line for line in re.split(r"[\r\n]+", output) if " left" in line]
    assert frames
    for frame in frames:
        assert cell_len(frame) < width
        assert re.search(r"step \d+/12  (\d+:\d\d:\d\d|-:--:--) left", frame)


def test_several_seeds_show_the_means_of_their_numbers():
    progress = Progress(console(terminal=False))
    steps = Counter("step", 20, lambda: 0.0)
    hook = ShowProgress(progress, steps)
    training = SimpleNamespace(experiments=[None, None], step=8)
    hook.begin(training)
    expected = [9, 9, 11]  # without numbers the newest step may still run
    first = [{"loss": 1.0, "gradient_norm": 5.0}, {"loss": 3.0}]
    for step, numbers in enumerate((first, [{}, {}], [{}, {"selection": 0.25}])):
        training.step, training.numbers = 9 + step, numbers
        hook(training)
        assert steps.done == expected[step]
    assert progress.numbers == ["loss 2.000", "best 0.2500"]
