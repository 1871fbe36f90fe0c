"""Loss and score on the plane through three solutions.

The plane has the coordinates of Garipov et al., Loss Surfaces, Mode Connectivity, and Fast
Ensembling of DNNs, 2018, https://arxiv.org/abs/1802.10026: the first solution is at 0, the second
one on the first axis, and the second axis is, by Gram and Schmidt, what the third one has besides.
Distances in the picture are distances between weights.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from maskjax.analysis.captions import short_names
from maskjax.analysis.figures import save_figure
from maskjax.analysis.plane_figure import Grid, draw_plane
from maskjax.analysis.resumable import Key, run_jobs
from maskjax.errors import InputError
from maskjax.options import EvaluatedSplit, Offline, RunFolders, StudyFolder, check_least

if TYPE_CHECKING:
    import jax

FLAT = 1e-3
"""Solutions less than this share of their distance off a line span no plane."""


def positions_of(solutions: Sequence[Any]) -> np.ndarray:
    """Where three solutions are on their plane.

    Example:
        >>> import jax.numpy as jnp
        >>> solutions = [{"w": jnp.array(w)} for w in ([1.0, 1.0], [4.0, 1.0], [3.0, 5.0])]
        >>> positions_of(solutions).tolist()
        [[0.0, 0.0], [3.0, 0.0], [2.0, 4.0]]
    """
    import jax

    if len(solutions) != 3:
        raise ValueError(f"Expected three solutions, got {len(solutions)}.")
    uu, uv, vv = (float(product) for product in jax.jit(_products)(*solutions))
    along = uv / uu**0.5 if uu else 0.0
    aside = max(vv - along**2, 0.0) ** 0.5
    if not aside > FLAT * max(uu, vv) ** 0.5:
        raise ValueError("Expected three solutions that span a plane, got some on one line.")
    return np.array([[0.0, 0.0], [uu**0.5, 0.0], [along, aside]])


def barycentric(positions: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The weights of three solutions that make points of their plane.

    Example:
        >>> barycentric(np.array([[0.0, 0], [2, 0], [0, 4]]), np.array([[1.0, 1.0]])).tolist()
        [[0.25, 0.5, 0.25]]
    """
    corners = np.concatenate([positions.T, np.ones((1, 3))])
    targets = np.concatenate([points.T, np.ones((1, len(points)))])
    return np.linalg.solve(corners, targets).T.astype(np.float32)


def plane(
    runs: RunFolders,
    *,
    out: StudyFolder,
    offline: Offline = False,
    points: int = 15,
    rows: int = 500,
    split: EvaluatedSplit = None,
    margin: float = 0.3,
) -> None:
    """Draws loss and score on the plane through three runs of one task.

    Rows, lengths and precision are those of the first run.

    Args:
        points: In each direction of the grid.
        rows: The first so many rows of the split.
        margin: How far the grid goes beyond the runs, as a share of their extent.
    """
    from maskjax.analysis.curve_evaluation import landscape_of, tag
    from maskjax.analysis.runs import study_runs

    check_least(points=(points, 2), rows=(rows, 1), margin=(margin, 0))
    loaded, console = study_runs(runs, "task", offline=offline), Console()
    if len(loaded) != 3:
        raise InputError(f"expected three runs, got {len(loaded)}.")
    first, solutions = loaded[0], [run.saved.params for run in loaded]
    try:
        positions = positions_of(solutions)
    except ValueError as error:
        raise InputError(f"{', '.join(run.name for run in loaded)}: {error}") from error
    x, y = (_axis(positions[:, axis], points, margin) for axis in (0, 1))
    split = split or first.default_split
    landscape = landscape_of(first, split, rows)
    cost = f"{points} lines of {points} points, each on {landscape.rows:,} rows of {split}"
    console.print(cost, highlight=False)

    def compute(key: Key) -> dict[str, list[float]]:
        line = np.stack([x, np.full(points, y[key["line"]])], axis=-1)
        found = landscape(solutions, barycentric(positions, line))
        return {"loss": found.loss.tolist(), "score": found.score.tolist()}

    common = {"runs": [tag(run) for run in loaded], "rows": rows, "split": split, "margin": margin}
    keys = [{**common, "points": points, "line": line} for line in range(points)]
    jobs = run_jobs(keys, compute, out / "plane.jsonl", console=console)
    loss, score = (np.array([job[name] for job in jobs]) for name in ("loss", "score"))
    grid = Grid(x, y, loss, score)
    about = f"{first.task.name}, {landscape.rows:,} rows of {split}, {points} x {points} points"
    names = short_names([run.name for run in loaded])
    figure = draw_plane(grid, positions, names, first.task.metric, about)
    save_figure(figure, out / "plane", grid.to_frame())


def _products(first: Any, second: Any, third: Any) -> "tuple[jax.Array, jax.Array, jax.Array]":
    """⟨u, u⟩, ⟨u, v⟩ and ⟨v, v⟩ of the ways u and v from the first to the others."""
    import jax
    import jax.numpy as jnp

    u, v = (jax.tree.map(jnp.subtract, other, first) for other in (second, third))

    def product(a: Any, b: Any) -> "jax.Array":
        leaves = jax.tree.leaves(jax.tree.map(lambda p, q: (p * q).sum(), a, b))
        return jnp.stack(leaves).sum()

    return product(u, u), product(u, v), product(v, v)


def _axis(places: np.ndarray, points: int, margin: float) -> np.ndarray:
    low, high = places.min(), places.max()
    beyond = margin * (high - low)
    return np.linspace(low - beyond, high + beyond, points)
