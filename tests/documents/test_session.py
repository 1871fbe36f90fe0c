"""A reader's session: the documents' bash and python blocks, in their order, in one folder.

All blocks are one script for one shell, so that an entered environment or a server in the
background lasts as it does in a terminal, and the first command that fails ends it. The folder is a
copy of the project's files. Stand-ins on PATH change what would take hours or touch this machine:

- `python3 -m venv` makes an environment around the one that runs the tests, whose `maskjax train`,
  `train.py` and `maskjax demo` get options for few rows appended;
- `pip install` gets `--dry-run`: it resolves the same requirements and installs nothing;
- `maskjax serve` gets a free port, which replaces 8000 in all blocks;
- `curl` fails where the server answers with an error.

Slow: `python -m pytest -m slow tests/documents`.
"""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FEW_ROWS = "--task.train-rows 64 --task.eval-rows 32 --train.epochs 1 --task.max-length 16"
FEW_ROWS_OF_DEMO = "--train-rows 64 --eval-rows 64"
SHEBANG = "#!/bin/bash\nset -eu\n"
VENV = """
if [ "${1-} ${2-}" = "-m venv" ]; then
  [ -e "$3" ] || REAL/python -m venv --without-pip "$3"
  cp STAND_INS/inside/* "$3/bin/" --remove-destination
  exit
fi
"""
INSIDE = {
    "python": VENV
    + 'if [ "${1-}" = train.py ]; then set -- "$@" FEW_ROWS; fi\nexec REAL/python "$@"\n',
    "pip": """if [ "$1" = install ]; then set -- "$@" --dry-run --quiet; fi
exec REAL/python -m pip "$@"
""",
    "maskjax": """case "${1-}" in
  train) set -- "$@" FEW_ROWS ;;
  demo) set -- "$@" DEMO ;;
  serve) set -- "$@" --port PORT ;;
esac
exec REAL/maskjax "$@"
""",
}
OUTSIDE = {
    "python3": VENV + 'exec REAL/python "$@"\n',
    "curl": 'exec CURL --fail-with-body --silent --show-error "$@"\n',
}
LEFT = ("runs/docs/task.safetensors", "exported/config.json", "report.html", "labeled.csv")


@pytest.fixture
def port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return str(bound.getsockname()[1])


@pytest.fixture
def stand_ins(tmp_path, port):
    """The folder of programs that stand before all others on PATH."""
    folder = tmp_path / "stand-ins"
    values = {
        "REAL": str(Path(sys.executable).parent),
        "STAND_INS": str(folder),
        "CURL": shutil.which("curl"),
        "FEW_ROWS": FEW_ROWS,
        "DEMO": FEW_ROWS_OF_DEMO,
        "PORT": port,
    }
    (folder / "inside").mkdir(parents=True)
    for place, programs in ((folder, OUTSIDE), (folder / "inside", INSIDE)):
        for name, template in programs.items():
            code = SHEBANG + template
            for key, value in values.items():
                code = code.replace(key, value)
            (place / name).write_text(code)
            (place / name).chmod(0o755)
    return folder


def copy_project(folder):
    """Copies what git knows or does not ignore, with times, which `make` compares."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():  # not deleted since the last commit
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def script_of(blocks, excuses, port):
    """One script that says where it is before each block."""
    parts = ["set -euo pipefail", "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"]
    for block in blocks:
        excused = any(block.document == d and block.first.startswith(f) for d, f in excuses)
        if block.language not in ("bash", "python") or excused:
            continue
        text = block.text.replace("localhost:8000", f"localhost:{port}")
        if block.language == "python":
            text = f"python - <<'END_OF_PYTHON'\n{text}END_OF_PYTHON"
        parts += [f'echo "=== {block.place} at $SECONDS s"', text]
    return "\n".join(parts) + "\n"


@pytest.mark.slow
def test_every_command_runs_in_order_in_one_folder(blocks, excuses, stand_ins, port, tmp_path):
    folder = tmp_path / "maskjax"
    folder.mkdir()
    copy_project(folder)
    script, log = tmp_path / "session.sh", tmp_path / "session.log"
    script.write_text(script_of(blocks, excuses, port))
    environment = os.environ | {
        "PATH": f"{stand_ins}:{os.environ['PATH']}",
        "MASKJAX_CACHE": str(tmp_path / "cache"),
    }
    with log.open("w") as output:
        result = subprocess.run(
            ["bash", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    lines = log.read_text().splitlines()
    place = [line for line in lines if line.startswith("=== ")][-1]
    assert result.returncode == 0, "\n".join([place, *lines[-40:]])
    for name in LEFT:
        assert (folder / name).exists(), name
