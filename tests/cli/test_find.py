"""Folders of runs on the command line, as `--seeds` and `demo` leave them."""

import json
import shutil

import pytest

from maskjax.cli.main import main
from maskjax.config import AdaptationConfig
from maskjax.taskfile import load_task_file
from maskjax.tasks import Task


@pytest.fixture(scope="module")
def gathered(base_of, write_run, tmp_path_factory):
    """Two seeds of a task, a finetuned run, and the other files of such a folder."""
    folder = tmp_path_factory.mktemp("runs")
    task = Task(name="toy", labels=("no", "yes"))
    rows = tmp_path_factory.mktemp("rows")
    for split in ("train", "dev"):
        lines = [f"{letter} b c\t{['no', 'yes'][i % 2]}" for i, letter in enumerate("abcdefgh")]
        (rows / f"{split}.tsv").write_text("\n".join(["text\tlabel", *lines, ""]))
    masked = AdaptationConfig(initializer="uniform", sparsity=0.3, blocks=(1, 2))
    (folder / "seeds").mkdir()
    for seed in (0, 1):
        run = folder / "seeds" / f"seed-{seed}"
        write_run(base_of("bert"), task, masked, run, seed, rows=rows)
    finetuned = AdaptationConfig(method="finetune")
    write_run(base_of("bert"), task, finetuned, folder / "finetuned", rows=rows)
    for run in ("seeds", "seeds/seed-0", "seeds/seed-1", "finetuned"):
        (folder / run / "result.json").write_text(json.dumps({"seconds": 1.0}))
    (folder / "killed").mkdir()
    (folder / "killed" / "metrics.jsonl").touch()
    (folder / "figures").mkdir()
    (folder / "notes.txt").touch()
    return folder


@pytest.fixture
def here(gathered, monkeypatch):
    monkeypatch.chdir(gathered.parent)
    return gathered.name


SKIPPED = {
    "figures": "holds no finished run",
    "killed": "the run is not finished, it has no task.safetensors; the command that began it "
    "resumes it",
}


def skipped(folder, *, more=()):
    return [f"skipped {folder}/{name}: {reason}" for name, reason in (*SKIPPED.items(), *more)]


def test_report_covers_every_run_of_a_folder(here, tmp_path, capsys):
    assert main(["report", here, "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "3 runs; tasks: toy" in page
    for name in ("seed-0", "seed-1", "finetuned"):
        assert name in page
    assert capsys.readouterr().err.splitlines() == skipped(here)


def test_report_counts_runs_of_overlapping_paths_once(gathered, here, tmp_path, capsys):
    """`report runs/* runs/seeds/seed-0` names a run twice, and it counts once."""
    places = [f"{here}/{path.name}" for path in sorted(gathered.iterdir())]
    words = ["report", *places, f"{here}/seeds/seed-0", "--out", str(tmp_path / "report.html")]
    assert main(words) == 0
    assert "3 runs; tasks: toy" in (tmp_path / "report.html").read_text()
    expected = skipped(here, more=[("notes.txt", "not a run folder")])
    assert capsys.readouterr().err.splitlines() == expected


def test_a_study_of_masks_skips_runs_without_them(here, tmp_path, capsys):
    assert main(["analyze", "dissimilarity", here, "--out", str(tmp_path / "out")]) == 0
    out, error = capsys.readouterr()
    assert "1 pairs of masks" in out
    reason = "expected a run with masks over its base, got one of finetune"
    assert error.splitlines() == skipped(here, more=[("finetuned", reason)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report", "RUNS/killed"], "RUNS/killed: the run is not finished"),
        (["report", "RUNS/figures"], "RUNS/figures: holds no finished run"),
        (["report", "RUNS/notes.txt"], "RUNS/notes.txt: not a run folder"),
        (["report", "RUNS/seeds", "RUNS/typo"], "RUNS/typo: no such run folder"),
        (["analyze", "dropped", "RUNS/finetuned"], "RUNS/finetuned: expected a run with masks"),
        (["analyze", "dissimilarity", "RUNS/seeds/seed-0"], "expected at least 2 runs, got 1"),
        (["ensemble", "RUNS/killed"], "RUNS/killed: the run is not finished"),
        (["ensemble", "RUNS/seeds/seed-0"], "expected at least two runs, got 1"),
        (["evaluate", "RUNS/seeds"], "got a folder of 2 (seed-0, seed-1); give one of them"),
        (["info", "RUNS/killed"], "RUNS/killed: the run is not finished"),
    ],
)
def test_named_runs_that_do_not_apply_are_one_line_errors(words, message, here, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out")] if words[0] in ("report", "analyze") else []
    assert main([word.replace("RUNS", here) for word in [*words, *out]]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"error: {message.replace('RUNS', here)}" in error or message in error
    assert not (tmp_path / "out").exists()


def test_ensemble_of_a_folder_equals_its_seeds(here, capsys):
    assert main(["ensemble", f"{here}/seeds"]) == 0
    together = capsys.readouterr().out
    assert main(["ensemble", f"{here}/seeds/seed-0", f"{here}/seeds/seed-1"]) == 0
    assert together == capsys.readouterr().out
    assert together.count("seed-") == 2


def test_ensemble_reads_the_files_in_a_folder(gathered, tmp_path, capsys):
    for number in (1, 2):
        file = gathered / "seeds" / f"seed-{number - 1}" / "task.safetensors"
        shutil.copy(file, tmp_path / f"{number}.safetensors")
    assert main(["ensemble", str(tmp_path)]) == 0
    assert "ensemble by logits" in capsys.readouterr().out


def test_combine_intersects_the_masks_of_seeds(gathered, here, tmp_path):
    assert main(["combine", f"{here}/seeds", "--out", str(tmp_path / "both.mask")]) == 0
    both = load_task_file(tmp_path / "both.mask")
    first, second = (
        load_task_file(gathered / "seeds" / f"seed-{seed}" / "task.safetensors") for seed in (0, 1)
    )
    for path, mask in both.masks.items():
        expected = first.masks[path].unpack() & second.masks[path].unpack()
        assert (mask.unpack() == expected).all()
