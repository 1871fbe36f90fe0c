"""What a terminal and a log file get, with a clock that tests set."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from maskjax.progress import Progress, announced, counted
from maskjax.progress.layout import fit_line

LONG_TITLE = "mask someone/a-task-with-a-rather-long-name-on-the-hub"
NUMBERS = (
    "loss 0.412",
    "best 0.8123",
    "score 0.8123",
    "zeros 12.34%",
    "1,234 rows/s",
    "input wait 0.1%",
)
REQUIRED = ("step 12,345/123,456", "12:34:56 left")


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def no_notebook(monkeypatch):
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def plain():
    """A console that is no terminal, such as a log file."""
    return Console(file=io.StringIO(), force_terminal=False, width=80)


def terminal(width):
    return Console(
        file=io.StringIO(), force_terminal=True, force_interactive=True, width=width, _environ={}
    )


def text_of(console):
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 59, 60, 79, 80, 119, 120, 200])
@pytest.mark.parametrize("title", ["", "mask toy", LONG_TITLE, "mask 数据集/任务名称很长的例子"])
@pytest.mark.parametrize("count", range(len(NUMBERS) + 1))
def test_a_line_fits_and_holds_what_is_required(width, title, count):
    line = fit_line(width, title, REQUIRED, NUMBERS[:count], 0.1)
    assert cell_len(line) <= width
    for part in REQUIRED:
        assert part in line
    shown = [number for number in NUMBERS[:count] if number in line]
    assert shown == list(NUMBERS[: len(shown)])  # the most important ones


def test_wider_line_shows_more():
    assert NUMBERS[1] in fit_line(60, LONG_TITLE, REQUIRED, NUMBERS, 0.1)
    assert "mask someone/" in fit_line(80, LONG_TITLE, REQUIRED, NUMBERS, 0.1)
    widest = fit_line(200, LONG_TITLE, REQUIRED, NUMBERS, 0.5)
    assert all(number in widest for number in NUMBERS)
    assert "━━" in widest


def test_a_line_that_is_far_too_narrow_is_cut():
    assert cell_len(fit_line(10, "mask toy", REQUIRED, NUMBERS, 0.1)) == 10


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_frame_on_a_terminal_fits(width, clock):
    console = terminal(width)
    with (
        Progress(console, LONG_TITLE, clock=clock) as progress,
        progress.count("step", 200) as step,
    ):
        for number in range(1, 201):
            clock.now += 1
            progress.numbers = NUMBERS
            step.update(number)
            if number % 50 == 0:
                with counted("evaluating", 1000) as rows:
                    for _ in range(10):
                        clock.now += 1
                        rows.add(100)
                        progress._live.refresh()
            progress._live.refresh()
    frames = frames_of(text_of(console))
    assert len(frames) >= 200
    assert any("evaluating 500/1,000" in frame for frame in frames)
    for frame in frames:
        assert cell_len(frame) < width
        assert re.search(r"step \d+/200  (\d+:\d\d:\d\d|-:--:--) left", frame)


def frames_of(output):
    """What was drawn, one after another, without control codes and lines that were cleared."""
    without_codes = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output)
    return [line for line in re.split(r"[\r\n]+", without_codes) if line.strip()]


def test_terminal_is_cleared_at_the_end(clock):
    """The last frame is cleared, so that only the lines of a command remain."""
    console = terminal(80)
    with Progress(console, "mask toy", clock=clock) as progress:
        with progress.count("step", 3) as step:
            clock.now += 1
            step.update(1)
            assert progress._live
        assert progress._live is None
        progress.message("done")
    assert text_of(console).endswith("done\n")


def test_instant_work_is_not_drawn(clock):
    console = terminal(80)
    with Progress(console, clock=clock), counted("evaluating", 10) as rows:
        rows.add(10)
    assert text_of(console) == ""


def test_a_log_file_gets_a_line_per_minute(plain, clock):
    with Progress(plain, LONG_TITLE, clock=clock) as progress, progress.count("step", 1000) as step:
        progress.numbers = NUMBERS
        for number in range(1, 601):
            clock.now += 1
            step.update(number)
    lines = text_of(plain).splitlines()
    assert len(lines) == 10
    assert lines[0] == f"{LONG_TITLE}: step 60/1,000, 0:15:40 left, {', '.join(NUMBERS)}"


def test_a_cell_of_a_notebook_gets_lines_though_it_is_a_terminal(clock, monkeypatch):
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    console = terminal(80)
    with Progress(console, "mask toy", clock=clock) as progress, progress.count("step", 4) as steps:
        clock.now += 61
        steps.update(1)
    assert text_of(console) == "mask toy: step 1/4, 0:03:03 left\n"


def test_a_log_file_gets_a_line_per_minute_of_an_evaluation(plain, clock):
    with Progress(plain, "mask toy", clock=clock) as progress, progress.count("step", 10) as step:
        clock.now += 1
        step.update(1)
        with counted("evaluating", 40_000) as rows:
            for _ in range(40):
                clock.now += 10
                rows.add(1000)
    lines = text_of(plain).splitlines()
    assert lines[0] == "evaluating 40,000 rows"
    assert len(lines) == 1 + 400 // 60
    assert lines[1].startswith("mask toy: step 1/10, ")
    assert lines[1].endswith("evaluating 6,000/40,000")


def test_announcement_is_printed_before_the_work(plain, clock):
    with Progress(plain, clock=clock) as progress:
        with announced("compiling"):
            assert text_of(plain) == "compiling\n"
        progress.message("compiled")
    assert text_of(plain) == "compiling\ncompiled\n"


def test_announced_work_is_drawn_and_not_in_the_estimate(clock):
    console = terminal(80)
    with Progress(console, "mask toy", clock=clock) as progress, progress.count("step", 10) as step:
        for number in (1, 2):
            clock.now += 1
            step.update(number)
        with announced("compiling the step"):
            progress._live.refresh()
            clock.now += 100
        assert step.left_text() == "0:00:08 left"
    assert "compiling the step" in text_of(console)


def test_work_inside_other_work_is_shown_alone(clock):
    """A training within a study is shown alone; the study's display then starts again."""
    console = terminal(100)
    with Progress(console, "study", clock=clock) as outer, outer.count("cell", 4) as cells:
        clock.now += 1
        cells.update(1)
        with Progress(console, "inner", clock=clock) as inner, inner.count("step", 4) as steps:
            assert outer._live is None
            clock.now += 1
            steps.update(1)
            assert inner._live
        clock.now += 1
        cells.update(2)
        assert outer._live


def test_counting_works_without_a_display():
    with counted("evaluating", 10) as rows, announced("compiling"):
        rows.add(3)
    assert rows.done == 3


def test_quiet_console_prints_nothing(clock):
    console = Console(quiet=True, file=io.StringIO(), force_terminal=True, _environ={})
    with Progress(console, clock=clock) as progress, progress.count("step", 2) as step:
        clock.now += 100
        step.update(1)
        progress.message("text")
        assert progress._live is None
    assert text_of(console) == ""
