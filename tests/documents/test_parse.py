"""Commands that CI does not execute are parsed: bash expands them, and their programs read them.

A stub stands for each program and records its arguments, so that loops, variables and braces are
expanded as on a reader's machine. `maskjax` and the benchmarks then parse what was recorded.
"""

import functools
import itertools
import json
import re
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import tyro
from packaging.requirements import Requirement

from maskjax.cli import main as cli
from maskjax.config import Config, config_to_dict
from maskjax.errors import InputError

ROOT = Path(__file__).parents[2]
PROGRAMS = ("maskjax", "python", "make", "pip", "docker", "tpu/vm.sh", "tpu/pod.sh")
STUB = """#!/bin/bash
printf '%s\\037' "${0#"$STUBS"/}" "$@" >> "$STUBS/log"
printf '\\036' >> "$STUBS/log"
"""
ABSENT = {"torch", "transformers", "aiohttp", "httpx2", "psutil"}
"""Packages of benchmarks that some of CI's environments lack."""


class ParsedError(Exception):
    """The options were accepted; the command itself must not start."""


def expand(code: str, folder: Path) -> list[list[str]]:
    """Runs code in which every program only records its arguments; returns what was recorded."""
    for name in PROGRAMS:
        stub = folder / name
        stub.parent.mkdir(exist_ok=True)
        stub.write_text(STUB)
        stub.chmod(0o755)
    (folder / "log").write_text("")
    environment = {"PATH": str(folder), "STUBS": str(folder)}
    code = re.sub(r"^\w+\$ ", "", code, flags=re.MULTILINE).replace("tpu/", f"{folder}/tpu/")
    subprocess.run(["/bin/bash", "-euc", code], env=environment, cwd=folder, check=True)
    calls = (folder / "log").read_text().split("\036")[:-1]
    return [call.split("\037")[:-1] for call in calls]


@pytest.fixture
def parse(monkeypatch, tmp_path):
    """Parses the arguments of one call; a wrong option is a SystemExit."""
    real = tyro.cli

    def parse_only(target, **options):
        if not isinstance(target, type):
            target = _stop_instead(target)
        real(target, **options)
        raise ParsedError

    monkeypatch.setattr(tyro, "cli", parse_only)
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    return {
        "maskjax": _parse_maskjax,
        "python": functools.partial(_parse_python, monkeypatch),
        "make": _check_make,
        "pip": _check_pip,
        "docker": _parse_docker,
        "tpu/vm.sh": functools.partial(_dry_run, "tpu/vm.sh"),
        "tpu/pod.sh": functools.partial(_dry_run, "tpu/pod.sh"),
    }


def _stop_instead(function):
    @functools.wraps(function)
    def stop(*_args, **_options):
        raise ParsedError

    return stop


def _parse_docker(words):
    """What the container runs: its entry point with the words after the image, or its own."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf8").splitlines()
    entry, own = (
        json.loads(line.removeprefix(name))
        for name in ("ENTRYPOINT ", "CMD ")
        for line in lines
        if line.startswith(name)
    )
    image = words.index("maskjax")
    assert words[0] == "run"
    _parse_maskjax([*entry[1:], *(words[image + 1 :] or own)])


def _parse_maskjax(words):
    for name, value in itertools.pairwise(words):
        if name == "--config" and value.endswith("config.json"):  # of a run that is not here
            Path(value).parent.mkdir(parents=True, exist_ok=True)
            Path(value).write_text(json.dumps(config_to_dict(Config())))
    _expect_parsed(lambda: cli.parse_command(words))


def _expect_parsed(call):
    try:
        call()
    except ParsedError:
        return
    raise AssertionError("no options were parsed")


def _parse_python(monkeypatch, words):
    if words[0] == "train.py":
        return _parse_maskjax(["train", *(word for word in words[1:] if word != "...")])
    assert words[0] == "-m", words
    if words[1] == "pytest":
        paths = [word for word in words[2:] if word.startswith("tests")]
        assert paths
        assert all((ROOT / path).exists() for path in paths)
        return None
    assert words[1].startswith(("benchmarks.", "experiments.")), words
    monkeypatch.setattr(sys, "argv", words[1:])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the module may be imported already
            _expect_parsed(lambda: runpy.run_module(words[1], run_name="__main__"))
    except ModuleNotFoundError as error:
        if error.name not in ABSENT:
            raise
    return None


def _check_make(words):
    makefile = (ROOT / "Makefile").read_text()
    for word in words:
        name, is_variable, _ = word.partition("=")
        pattern = rf"^{name} \?=" if is_variable else rf"^(?:\w+ )*{name}(?: \w+)*:"
        assert re.search(pattern, makefile, re.MULTILINE), word


def _check_pip(words):
    assert words[0] in ("install", "wheel")
    for word in words[1:]:
        if not word.startswith((".", "-")):
            Requirement(word)


def _dry_run(script, words):
    command = [ROOT / script, *words[:2], "--dry-run", *words[2:]]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def check(calls, document, parse):
    """Names the command that its program does not accept."""
    for program, *words in calls:
        try:
            parse[program](words)
        except (SystemExit, Exception) as error:
            pytest.fail(f"{document}: {program} {' '.join(words)}: {error!r}")


def test_commands_of_blocks_that_are_not_executed_parse(blocks, records, parse, tmp_path):
    """The blocks of a document are one script, since later ones use variables of earlier ones."""
    scripts = {}
    for block in blocks:
        is_record = block.language == "indented" and block.document in records
        if block.language == "console" or is_record:
            scripts[block.document] = scripts.get(block.document, "") + block.text
    count = 0
    for number, (document, code) in enumerate(scripts.items()):
        stubs = tmp_path / f"stubs-{number}"
        stubs.mkdir()
        calls = expand(code, stubs)
        check(calls, document, parse)
        count += len(calls)
    assert count > 60


def test_options_within_sentences_exist(documents, capsys):
    """A sentence may name a command with an option and leave out the rest."""
    for name, text in documents.items():
        for command, rest in re.findall(r"`maskjax (\w+)\s([^`]*)`", text):
            for option in re.findall(r"--[\w.-]+", rest):
                with pytest.raises(SystemExit):
                    cli.parse_command([command, "--help"])
                known = capsys.readouterr().out
                assert re.search(rf"{option}\b", known), f"{name}: maskjax {command} {option}"


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--task.lable", "stars"],
        ["train", "--config", "configs/nothing.py"],
        ["analyze", "dropped", "runs/a"],
        ["nothing"],
    ],
)
def test_wrong_commands_do_not_parse(words, parse, capsys):
    with pytest.raises((SystemExit, KeyError, InputError)):
        parse["maskjax"](words)
    capsys.readouterr()
