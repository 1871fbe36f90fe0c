"""Figures come in three files, and the one to read in gray differs in more than colors."""

import csv

import pytest
from matplotlib.figure import Figure

from maskjax.analysis.figures import COLORS, look, save_figure, styled, table_bytes


def test_a_figure_is_saved_with_its_numbers(tmp_path):
    rows = [{"x": 1, "y": 0.1}, {"x": 2, "y": 0.25}]
    with styled():
        figure = Figure(figsize=(3, 2))
        figure.subplots().plot([1, 2], [0.1, 0.25], **look(1)._asdict(), label="a line")
    files = save_figure(figure, tmp_path / "figures" / "a.b", rows)
    assert [file.name for file in files] == ["a.b.svg", "a.b.png", "a.b.csv"]
    svg, png, table = (file.read_bytes() for file in files)
    assert b"<svg" in svg
    assert png.startswith(b"\x89PNG")
    read = list(csv.DictReader(table.decode().splitlines()))
    assert [(float(row["x"]), float(row["y"])) for row in read] == [(1, 0.1), (2, 0.25)]


def test_lines_differ_in_dashes_and_markers():
    looks = [look(number) for number in range(len(COLORS))]
    for column in zip(*looks, strict=True):
        assert len(set(map(str, column))) == len(COLORS)


def test_rows_have_the_same_keys():
    with pytest.raises(ValueError, match="at least one row"):
        table_bytes([])
    with pytest.raises(ValueError, match="with the keys"):
        table_bytes([{"x": 1}, {"y": 1}])
