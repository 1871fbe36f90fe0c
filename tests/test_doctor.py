"""`maskjax doctor`: pairs of versions that cannot work, on metadata as pip would leave it."""

import subprocess
import sys
from importlib.metadata import PathDistribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from maskjax import doctor
from maskjax.cli.main import main

JAX = {
    "0.7.2": ("jaxlib<=0.7.2,>=0.7.2", "libtpu==0.0.23; extra == 'tpu'"),
    "0.12.0": ("jaxlib<=0.12.0,>=0.12.0", "libtpu==0.0.50.*; extra == 'tpu'"),
}
"""What releases of jax declare."""
COLAB = {"jax": "0.7.2", "jaxlib": "0.7.2", "libtpu": "0.0.21.1", "flax": "0.11.2"}
"""What Colab's TPU runtime ships."""


@pytest.fixture
def install(tmp_path):
    """Writes the metadata of packages and reads it back as installed packages."""

    def make(versions: dict[str, str]) -> dict[str, PathDistribution]:
        declared = {
            "maskjax": ("jax>=0.7.2", "flax!=0.12.9,>=0.11.2", "torch==2.13.0; extra == 'torch'"),
            "jax": JAX.get(versions.get("jax", ""), ()),
            "flax": ("jax>=0.7.1",),
            "jax-cuda12-plugin": ("jax-cuda12-pjrt==0.7.2",),
        }
        for name, version in {"maskjax": "0.1.0", **versions}.items():
            folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
            folder.mkdir()
            needs = "".join(f"Requires-Dist: {text}\n" for text in declared.get(name, ()))
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
            (folder / "METADATA").write_text(metadata)
        return {package.name: package for package in distributions(path=[str(tmp_path)])}

    return make


def test_shipped_stack_has_no_findings(install):
    assert doctor.diagnose(install(COLAB)) == []


def test_older_libtpu_of_kaggle_has_no_findings(install):
    assert doctor.diagnose(install(COLAB | {"libtpu": "0.0.17"})) == []


CUDA = {"libtpu": None, "jax-cuda12-plugin": "0.7.2", "jax-cuda12-pjrt": "0.7.2"}
BROKEN = {
    "jax and jaxlib": (
        {"jaxlib": "0.7.1"},
        "jax 0.7.2 needs jaxlib<=0.7.2,>=0.7.2; jaxlib has version 0.7.1",
        'pip install "jax==0.7.2"',
    ),
    "jaxlib is missing": (
        {"jaxlib": None},
        "jaxlib is not installed",
        'pip install "jax==0.7.2"',
    ),
    "jax and libtpu": (
        {"jax": "0.12.0", "jaxlib": "0.12.0", "flax": "0.12.12"},
        "libtpu 0.0.21.1 is too far from 0.0.50, which jax names (0.12.0)",
        'pip install "jax[tpu]==0.12.0"',
    ),
    "jaxlib and its plugin": (
        CUDA | {"jax-cuda12-plugin": "0.7.1"},
        "jax-cuda12-plugin 0.7.1 does not belong to jaxlib 0.7.2; JAX falls back to CPU",
        'pip install "jax[cuda12]==0.7.2"',
    ),
    "a plugin and its own library": (
        CUDA | {"jax-cuda12-pjrt": "0.7.1"},
        "jax-cuda12-pjrt has version 0.7.1",
        'pip install "jax[cuda12]==0.7.2"',
    ),
    "jax and an old flax": (
        {"jax": "0.12.0", "jaxlib": "0.12.0", "libtpu": "0.0.50.1", "flax": "0.12.8"},
        "flax 0.12.8 cannot be imported on jax 0.12.0",
        'pip install "jax==0.12.0" "flax>=0.12.10"',
    ),
    "flax is older than maskjax supports": (
        {"flax": "0.10.6"},
        "flax has version 0.10.6",
        'pip install "jax==0.7.2" "flax!=0.12.9,>=0.11.2"',
    ),
    "jax is older than maskjax supports": (
        {"jax": "0.6.2", "jaxlib": "0.6.2"},
        "maskjax 0.1.0 needs jax>=0.7.2; jax has version 0.6.2",
        'pip install "jax>=0.7.2"',
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_pair_is_found_with_the_one_command_that_repairs_it(name, install):
    changes, problem, command = BROKEN[name]
    versions = {k: v for k, v in (COLAB | changes).items() if v is not None}
    packages = install(versions)
    findings = doctor.diagnose(packages)
    assert any(problem in finding.problem for finding in findings), findings
    assert doctor.remedy(findings, packages) == command
    for finding in findings:
        Requirement(finding.install)  # raises where pip would not understand it


def test_several_findings_are_repaired_together(install):
    packages = install(COLAB | CUDA | {"libtpu": "0.0.9", "jaxlib": "0.7.1", "flax": "0.10.6"})
    command = doctor.remedy(doctor.diagnose(packages), packages)
    assert command == 'pip install "jax[cuda12,tpu]==0.7.2" "flax!=0.12.9,>=0.11.2"'


def test_an_idle_accelerator_is_found(monkeypatch, tmp_path):
    (tmp_path / "accel0").touch()
    monkeypatch.setattr(doctor, "DEVICE_FILES", {str(tmp_path / "accel0"): "tpu"})
    assert doctor.unused_accelerator("tpu") == []
    (finding,) = doctor.unused_accelerator("cpu")
    assert finding.install == "jax[tpu]"


def test_the_command_reports_this_installation(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "device: " in out
    assert "0 known problems" in out


def test_doctor_runs_where_jax_cannot_be_imported(tmp_path):
    """A stand-in for jax raises at import, as jax does when jaxlib is too old."""
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("raise RuntimeError('jaxlib is version 0.1')")
    info = tmp_path / "jax-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: jax\nVersion: 0.1.0\n")
    for words, code, stream in ((["doctor"], 1, "stdout"), (["tasks"], 2, "stderr")):
        program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        program += f"from maskjax.cli.main import main; sys.exit(main({words}))"
        result = subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == code, result.stderr
        said = getattr(result, stream)
        assert "maskjax 0.1.0 needs jax>=0.7.2; jax has version 0.1.0" in said
        assert 'pip install "jax>=0.7.2"' in said
        assert "Traceback" not in result.stderr
