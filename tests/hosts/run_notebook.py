"""Runs tpu/colab.ipynb from top to bottom in this Python, which need not have maskjax.

    python tests/hosts/run_notebook.py --source CLONE_OR_WHEEL [--newest-jax tpu]

The install cell runs as it stands. A cell behind the parameters cuts the work to a few rows on a
CPU, every command's exit code is checked, which Jupyter itself ignores, and a last cell compares
the package versions with those before the install. It needs nbclient, nbformat and ipykernel.
"""

import argparse
import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "tpu" / "colab.ipynb"
CURSOR_UP = "\x1b[1A"
FEW = """
from importlib.metadata import distributions
BEFORE = {{d.name: d.version for d in distributions() if d.name}}
SOURCE, NEWEST_JAX = {source!r}, {newest_jax!r}
TASK, MODEL, ROWS, NAME = "docstrings/library", "minilm", 64, "few"
TEXTS = ["Return the inverse of a square matrix.", "Train a layer of a network."]
OPTIONS = "--task.max-length 16 --train.buckets 16 --train.epochs 1"
ACCELERATOR = False
"""
CHECKS = """
assert (RUN / "result.json").exists() and PICTURE.exists()
assert list(both["maskjax"]) == list(both["PyTorch"]) and "jax" not in sys.modules
import maskjax
assert "-packages" in maskjax.__file__, maskjax.__file__
AFTER = {d.name: d.version for d in distributions() if d.name}
replaced = {n: (v, AFTER.get(n)) for n, v in BEFORE.items() if AFTER.get(n) != v}
added = sorted(f"{n} {AFTER[n]}" for n in AFTER.keys() - BEFORE.keys())
print(f"replaced: {replaced}")
print(f"added: {', '.join(added)}")
assert NEWEST_JAX or not replaced
"""


def main() -> None:
    """Parses the command line and runs the notebook in an empty folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="what the notebook's SOURCE is to be")
    parser.add_argument("--newest-jax", default="", help="what NEWEST_JAX is to be")
    given = parser.parse_args()
    few = FEW.format(source=given.source, newest_jax=given.newest_jax)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MASKJAX_CACHE"] = str(Path(folder) / "cache")
        run(prepare(few), folder)


def prepare(few: str) -> nbformat.NotebookNode:
    """Adds the cell that cuts the work, the exit codes and the last checks."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = []
    for cell in notebook.cells:
        if any(line.lstrip().startswith("!maskjax") for line in cell.source.splitlines()):
            cell.source += "\nassert _exit_code == 0"
        cells.append(cell)
        if "parameters" in cell.metadata.get("tags", ()):
            cells.append(nbformat.v4.new_code_cell(few))
    notebook.cells = [*cells, nbformat.v4.new_code_cell(CHECKS)]
    return notebook


def run(notebook: nbformat.NotebookNode, folder: str) -> None:
    """Executes the cells, prints what they print, and raises at the first that fails."""
    client = NotebookClient(notebook, timeout=900, resources={"metadata": {"path": folder}})
    try:
        client.execute()
    finally:
        outputs = [o.get("text", "") for c in notebook.cells for o in c.get("outputs", ())]
        print("".join(outputs))
    assert CURSOR_UP not in "".join(outputs), "a cell cannot move the cursor: print plain lines"


if __name__ == "__main__":
    main()
