"""Figures come in three files, and the one to read in gray differs in more than colors."""

import csv

import numpy as np
from pandas import DataFrame

from maskjax.analysis.figures import COLORS, draw_bands, line_style, new_figure, save_figure


def test_a_figure_is_saved_with_its_numbers(tmp_path):
    frame = DataFrame([{"x": 1, "y": 0.1}, {"x": 2, "y": 0.25}])
    with new_figure(3, 2) as figure:
        figure.subplots().plot([1, 2], [0.1, 0.25], **line_style(1)._asdict(), label="a line")
    save_figure(figure, tmp_path / "figures" / "a.b", frame)
    files = [tmp_path / "figures" / f"a.b.{end}" for end in ("svg", "png", "csv")]
    svg, png, table = (file.read_bytes() for file in files)
    assert b"<svg" in svg
    assert png.startswith(b"\x89PNG")
    read = list(csv.DictReader(table.decode().splitlines()))
    assert [(float(row["x"]), float(row["y"])) for row in read] == [(1, 0.1), (2, 0.25)]


def test_lines_differ_in_dashes_and_markers():
    styles = [line_style(number) for number in range(len(COLORS))]
    for column in zip(*styles, strict=True):
        assert len(set(map(str, column))) == len(COLORS)


def test_band_holds_all_values_and_its_line_is_their_mean():
    values = {"x": [0, 0, 1, 1, 0], "y": [1.0, 3.0, 2.0, 2.0, 7.0], "by": [*"aaaa", "b"]}
    with new_figure(3, 2) as figure:
        axes = figure.subplots()
        draw_bands(axes, DataFrame(values), "x", "y", "by")
    first, second = axes.get_lines()
    assert (first.get_label(), second.get_label()) == ("a", "b")
    np.testing.assert_array_equal(first.get_xydata(), [[0, 2], [1, 2]])
    corners = axes.collections[0].get_paths()[0].vertices
    assert {(0, 1), (0, 3), (1, 2)} == set(map(tuple, corners))
