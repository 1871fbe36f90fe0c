"""Output that the locale cannot represent never stops a command."""

import io
import json
import sys

import pytest
from rich.console import Console

from maskjax.cli.main import main
from maskjax.progress import Progress


def test_labels_and_texts_are_escaped(use, monkeypatch):
    """Standard output is ASCII, as under LC_ALL=C without Python's UTF-8 mode."""
    use("three")
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    assert main(["predict", "run", "--text", "good caf\u00e9 \U0001f600"]) == 0
    output.flush()
    assert r"good caf\xe9 \U0001f600" in output.buffer.getvalue().decode("ascii")


@pytest.mark.parametrize("column", ["text", "label"])
def test_half_of_a_surrogate_pair_is_refused_in_one_readable_line(
    use, monkeypatch, tmp_path, column
):
    use("three")
    row = {"text": "good film", "label": "joy"}
    rows = [row, row | {column: "caf\u00e9 \ud83d"}]
    file = tmp_path / "new.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    assert main(["evaluate", "run", "--path", str(file)]) == 2
    for stream in streams:
        stream.flush()
    out, error = (stream.buffer.getvalue().decode("ascii") for stream in streams)
    assert not out
    assert error.startswith(f"error: {file} row 2: expected Unicode, got half of a surrogate pair")
    assert error.endswith("; correct it or delete the row.\n")
    assert error.count("\n") == 1
    assert (r"caf\xe9 \ud83d" in error) == (column == "label")


def test_progress_is_shown_in_any_encoding():
    """A terminal draws a bar; a log gets lines."""
    for terminal in (True, False):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        console = Console(file=stream, force_terminal=terminal, width=100, _environ={})
        with Progress(console, "mask caf\u00e9") as progress:
            progress.message("0.9 \u00b1 0.1")
            with progress.count("step", 4) as counter, progress.announce("writing caf\u00e9"):
                progress._draw() if terminal else progress.report()
                counter.update(2)
        stream.flush()
        shown = stream.buffer.getvalue().decode("ascii")
        assert r"0.9 \xb1 0.1" in shown
        assert "step 0/4" in shown
