"""Project files name existing commands and paths, and the current version."""

import ast
import re
from pathlib import Path

import pytest
import yaml

import maskjax

ROOT = Path(__file__).parents[1]
TARGETS = set(re.findall(r"^([a-z]+(?: [a-z]+)*):", (ROOT / "Makefile").read_text(), re.M))
TARGETS = {name for names in TARGETS for name in names.split()}


def steps(workflow):
    """The commands of each job of a workflow."""
    text = (ROOT / ".github" / "workflows" / workflow).read_text(encoding="utf8")
    jobs = yaml.safe_load(text)["jobs"]
    return {name: [s["run"] for s in job["steps"] if "run" in s] for name, job in jobs.items()}


def test_ci_runs_the_script_that_a_person_runs():
    assert steps("ci.yml") == {"ci": [".ci/run"]}


def test_nightly_jobs_are_make_targets():
    jobs = steps("nightly.yml")
    assert jobs == {name: [f"make {name}"] for name in ("nightly", "hub", "colab")}
    assert jobs.keys() <= TARGETS


def test_ci_builds_the_site():
    assert re.search(r"^make docs$", (ROOT / ".ci" / "run").read_text(), re.M)


@pytest.mark.parametrize("path", [*ROOT.glob("tests/hosts/*.txt")], ids=lambda path: path.stem)
def test_every_host_file_has_a_target_and_a_python(path):
    assert path.stem in TARGETS
    assert f"[{path.stem}]=3." in (ROOT / ".ci" / "host").read_text()


def test_every_path_in_the_guide_for_contributors_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8")
    paths = set(re.findall(r"`((?:maskjax|tests|docs|\.github|\.ci)/[^` ]*)`", text))
    assert len(paths) > 30
    assert not [path for path in sorted(paths) if not (ROOT / path).exists()]


def test_every_target_in_the_guide_for_contributors_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8")
    assert set(re.findall(r"\bmake ([a-z]+)\b *[`#]", text)) <= TARGETS


def test_hooks_use_the_ruff_of_the_environment():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    entries = [hook["entry"] for hook in hooks]
    assert entries[0].startswith(".venv/bin/ruff format")
    assert entries[1].startswith(".venv/bin/ruff check")


def test_the_citation_names_this_version_and_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    assert citation["version"] == maskjax.__version__
    paper = citation["preferred-citation"]
    names = [author["family-names"] for author in paper["authors"]]
    assert names == ["Zhao", "Lin", "Mi", "Jaggi", "Schütze"]
    assert paper["url"].removeprefix("https://arxiv.org/abs/") == "2004.12406"


def test_templates_for_issues_are_forms():
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text(encoding="utf8"))
        assert form["name"]
        assert form["description"]
        assert all(part["type"] in ("textarea", "input", "dropdown") for part in form["body"])


def test_the_first_conftest_imports_nothing_that_reads_the_environment():
    """tests/conftest.py, which pytest loads after it, sets the platform and turns the Hub off."""
    nodes = ast.parse((ROOT / "conftest.py").read_text(encoding="utf8")).body
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert names == {"re", "collections.abc", "pathlib", "typing", "pytest"}
