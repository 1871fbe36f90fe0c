"""The plane through three solutions against vectors and a basis in NumPy."""

import csv
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.contour import ContourSet

from maskjax.analysis.interpolation import mix
from maskjax.analysis.plane import barycentric, positions_of
from maskjax.analysis.plane_figure import Grid, draw_plane
from maskjax.analysis.runs import load_runs
from maskjax.cli.main import main

VECTORS = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
TREES = [{"a": jnp.array(v[:3]), "b": {"c": jnp.array(v[3:])}} for v in VECTORS]


def test_points_of_the_plane_match_an_orthonormal_basis():
    positions = positions_of(TREES)
    u, v = VECTORS[1] - VECTORS[0], VECTORS[2] - VECTORS[0]
    first = u / np.linalg.norm(u)
    second = v - (v @ first) * first
    second /= np.linalg.norm(second)
    points = np.random.default_rng(1).normal(size=(5, 2))
    for (x, y), weights in zip(points, barycentric(positions, points), strict=True):
        point = mix(TREES, jnp.array(weights))
        expected = VECTORS[0] + x * first + y * second
        found = np.concatenate([point["a"], point["b"]["c"]])
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(barycentric(positions, positions), np.eye(3), atol=1e-6)


@pytest.mark.parametrize("weights", [(0, 1), (0.3, 0.7), (2, -1)])
def test_solutions_on_a_line_are_refused(weights):
    third = mix(TREES[:2], jnp.array(weights, jnp.float32))
    with pytest.raises(ValueError, match="span a plane"):
        positions_of([*TREES[:2], third])


def test_plane_has_the_score_of_a_run_at_its_corner(finished, tmp_path, capsys):
    """A margin of 0 puts the first and second run at corners of the grid."""
    folders = [finished("finetune"), finished("mask"), finished("mask", seed=1)]
    words = [*map(str, folders), "--out", str(tmp_path), "--points", "3", "--rows", "20"]
    assert main(["analyze", "plane", *words, "--margin", "0"]) == 0
    table = list(csv.DictReader((tmp_path / "plane.csv").read_text().splitlines()))
    assert len(table) == 9
    run = load_runs(folders)[0].saved
    assert (float(table[0]["x"]), float(table[0]["y"])) == (0, 0)
    score = run.score(load_runs(folders)[0].split("dev", 20))
    assert float(table[0]["score"]) == pytest.approx(score, abs=1e-6)
    assert main(["analyze", "plane", *map(str, [*folders[:2], folders[0]]), *words[3:]]) == 2
    assert "expected three runs, got 2" in capsys.readouterr().err
    assert main(["analyze", "plane", *map(str, folders[:2]), *words[3:]]) == 2
    assert "expected three runs" in capsys.readouterr().err


def test_constant_plane_is_drawn_without_warnings():
    grid = Grid(np.arange(3.0), np.arange(3.0), np.full((3, 3), 0.2), np.ones((3, 3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw_plane(grid, positions_of(TREES), ["a", "b", "c"], "f1", "x")
    assert len(figure.axes) == 4


def test_one_bad_corner_does_not_hide_differences_among_good_models():
    score = np.array([[0.96, 0.955, 0.945], [0.96, 0.955, 0.945], [0.96, 0.955, 0.64]])
    grid = Grid(np.arange(3.0), np.arange(3.0), 1 - score, score)
    panels = draw_plane(grid, positions_of(TREES), ["a", "b", "c"], "f1", "x").axes[:2]
    for panel, values in zip(panels, (grid.loss, grid.score), strict=True):
        contours = panel.collections[0]
        assert isinstance(contours, ContourSet)
        assert len(np.unique(np.searchsorted(list(contours.levels), values))) == 4
