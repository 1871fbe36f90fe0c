"""The report as a browser reads it: complete, escaped and self-contained."""

import base64
import json
import shutil
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure
from pandas import DataFrame

from maskjax.analysis.figures import save_figure
from maskjax.analysis.training_curves import read_curves
from maskjax.cli.main import main
from maskjax.errors import InputError

STEPS = [
    {"step": 1, "seconds": 0.5, "loss": 0.7, "sparsity": 0.01},
    {"step": 2, "seconds": 0.9, "loss": 0.4, "sparsity": 0.02},
    {"step": 2, "seconds": 1.0, "score": 0.8, "selection": 0.8},
]


class Reader(HTMLParser):
    """Keeps text, tags and addresses, and counts tags that are left open."""

    void = ("meta", "link", "img")

    def __init__(self, page):
        super().__init__()
        self.text, self.tags, self.addresses, self.open = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def runs(finished, tmp_path):
    """Copies with curves; the name of the second is what a page must not take for markup."""
    folders = [tmp_path / "plain", tmp_path / "a <script>$title & b"]
    for folder, method in zip(folders, ("mask", "finetune"), strict=True):
        shutil.copytree(finished(method), folder)
        (folder / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in STEPS))
        (folder / "result.json").write_text('{"seconds": 12.3}')
    return folders


def test_report_is_complete_escaped_and_self_contained(runs, tmp_path, capsys):
    save_figure(Figure(), tmp_path / "study" / "a<b", DataFrame([{"x": 1}]))
    out = tmp_path / "report.html"
    words = ["report", *map(str, runs), "--out", str(out), "--title", "T<i>"]
    assert main([*words, "--figures", str(tmp_path / "study")]) == 0
    page = Reader(out.read_text())
    assert not page.open
    assert {"script", "i", "b"}.isdisjoint(page.tags)
    for text in ("T<i>", "a <script>$title & b", "a<b", "adaptation.method", "12"):
        assert text in page.text
    assert "train.seed" not in page.text  # which is the same in both
    kinds = [address.split(",")[0] for address in page.addresses]
    assert kinds == ["data:", *["data:image/svg+xml;base64"] * 3]
    assert all(b"<svg" in base64.b64decode(a.split(",")[1]) for a in page.addresses[1:])
    assert main(words) == 2
    assert "already exists" in capsys.readouterr().err


def test_curves_are_read_from_the_metrics_file(runs, tmp_path):
    assert read_curves(runs[0]) == {
        "loss": ([1, 2], [0.7, 0.4]),
        "sparsity": ([1, 2], [0.01, 0.02]),
        "score": ([2], [0.8]),
    }
    assert read_curves(tmp_path) == {}
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"st')
    with pytest.raises(InputError, match=r"line 2: not valid JSON: .*; delete the line"):
        read_curves(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "at least one run folder"),
        (["missing"], "missing: no such run folder"),
        (["plain", "--figures", "plain"], "expected a folder with .svg files"),
    ],
)
def test_report_without_runs_or_figures_is_refused(runs, capsys, monkeypatch, words, message):
    monkeypatch.chdir(runs[0].parent)
    assert main(["report", *words, "--out", "report.html"]) == 2
    assert message in capsys.readouterr().err
    assert not (runs[0].parent / "report.html").exists()


def test_an_unfinished_run_is_refused(runs, capsys, tmp_path):
    (runs[0] / "result.json").unlink()
    assert main(["report", str(runs[0]), "--out", str(tmp_path / "report.html")]) == 2
    assert "is not finished" in capsys.readouterr().err
