"""From the paths on a command line to runs: folders of runs are searched, the rest is named."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from maskjax.analysis.runs import UNFINISHED, Run, Same, check_same, is_masked, load_runs
from maskjax.errors import InputError
from maskjax.extras import require
from maskjax.taskfile import TASK_FILE, FoundRuns, LeftOut, find_runs
from maskjax.training.run_dir import RESULT_FILE

NOT_A_FOLDER = "not a run folder"


def study_runs(
    places: Sequence[Path],
    *same: Same,
    offline: bool,
    least: int = 1,
    masked: bool = False,
    needs: Sequence[str] = ("matplotlib",),
) -> list[Run]:
    """Loads the runs of a study, on one base; those that cannot be compared are an `InputError`."""
    require("maskjax analyze", *needs, install="maskjax[analysis]")
    runs = load_runs(finished_runs(places), same=(), offline=offline)
    if masked:
        runs = _only_masked(runs)
    if len(runs) < least:
        raise InputError(f"expected at least {least} run{'s' * (least > 1)}, got {len(runs)}.")
    check_same(runs, ("base", *same))
    return runs


def _only_masked(runs: Sequence[Run]) -> list[Run]:
    masked = [run for run in runs if is_masked(run)]
    reason = "expected a run with masks over its base, got one of {}"
    others = [LeftOut(run.folder, reason.format(run.method)) for run in runs if run not in masked]
    print_left_out(others, kept=len(masked))
    return masked


def finished_runs(places: Sequence[Path]) -> list[Path]:
    """Finds the finished runs in run folders and folders of them, at any depth."""
    runs: dict[Path, Path] = {}
    left_out: list[LeftOut] = []
    for place in places:
        if not place.exists():
            raise InputError(f"{place}: no such run folder.")
        found = find_runs(place) if place.is_dir() else FoundRuns([], [place], [])
        left_out += [*found.left_out, *(LeftOut(file, NOT_A_FOLDER) for file in found.files)]
        for run in found.runs:
            if (run / RESULT_FILE).is_file():
                runs.setdefault(run.resolve(), run)
            else:
                left_out.append(LeftOut(run, UNFINISHED))
    print_left_out(left_out, kept=len(runs))
    return list(runs.values())


def task_paths(places: Sequence[Path]) -> list[Path]:
    """Replaces folders of runs by the runs and task files in them."""
    paths, left_out = [], []
    for place in places:
        if not place.is_dir() or (place / TASK_FILE).is_file():
            paths.append(place)
            continue
        found = find_runs(place)
        paths += [*found.runs, *found.files]
        left_out += found.left_out
    print_left_out(left_out, kept=len(paths))
    return paths


def print_left_out(left_out: Sequence[LeftOut], *, kept: int) -> None:
    """Says what is not used."""
    if not kept and len(left_out) == 1:
        raise InputError(f"{left_out[0]}.")
    console = Console(stderr=True)
    for one in left_out:
        console.print(f"skipped {one}", highlight=False, markup=False, soft_wrap=True)
    if not kept and left_out:
        raise InputError("expected at least one finished run, got none that can be used.")
