"""The command `maskjax`: the list of its commands, and exit codes for errors."""

import io
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from rich.console import Console

from maskjax.cli.closed_pipe import silent_when_pipe_closes
from maskjax.errors import InputError, NotFiniteError, StoppedError, os_error_text, suggest


class Command(NamedTuple):
    """One line of `maskjax --help`.

    Attributes:
        help: What the command is for.
        example: Its words in an example.
    """

    help: str
    example: str


COMMANDS = {
    "train": Command("learn a mask (or finetune, LoRA, ...)", "--out runs/first"),
    "tasks": Command("the tasks that are known by name", ""),
    "evaluate": Command("score a run on any rows with labels", "runs/first"),
    "predict": Command("label texts with a finished run", 'runs/first --text "Good."'),
    "submit": Command("a GLUE run's test predictions", "runs/first --out submission"),
    "info": Command("what a run dropped, by block and kind", "runs/first"),
    "export": Command("a finished run for PyTorch", "runs/first --to hf --out hf"),
    "import": Command("masks that PyTorch code learned", "best.pt --out runs/imported"),
    "push": Command("a task file with its card to the Hub", "runs/first --to owner/name"),
    "diff": Command("two tasks' masks against each other", "runs/first runs/second"),
    "combine": Command("a task file of the masks of others", "runs/a runs/b --out both.mask"),
    "shrink": Command("a smaller task file", "runs/first --out small.mask"),
    "ensemble": Command("several runs of one task as one", "runs/a runs/b --by vote"),
    "vectors": Command("[CLS] vectors of a split with its labels", "runs/first --out cls.tsv"),
    "analyze": Command("studies of finished runs, with figures", ""),
    "report": Command("runs as one page that opens offline", "runs/* --out report.html"),
    "serve": Command("many tasks on one base over HTTP", "--base minilm --tasks runs"),
    "memory": Command("what many tasks on one base take", "--base minilm"),
    "demo": Command("masking against finetuning on a real BERT", "--out runs/demo"),
    "doctor": Command("versions, devices, known-bad combinations", ""),
}
"""The commands; each is `command` in the module of `maskjax.cli` that is named after it."""
MODULES = {"import": "import_"}
"""Modules that cannot have the name of their command."""

USAGE = """usage: maskjax COMMAND [options]

Adapt a pretrained BERT, RoBERTa or DistilBERT by learning which of its weights to keep.

{commands}

maskjax COMMAND --help lists the options of a command.

Tokenized rows and compiled programs are kept for the next run in ~/.cache/maskjax; MASKJAX_CACHE
names another folder. MASKJAX_COMPILE_CACHE puts the programs elsewhere, gs:// addresses included,
for a disk that is lost between runs; with MASKJAX_COMPILE_CACHE=off, or --no-compile-cache after
the command, everything is compiled again.
"""


def usage() -> str:
    """The text of `maskjax --help`."""
    lines = (
        f"  {name:10} {command.help:41} maskjax {name} {command.example}".rstrip()
        for name, command in COMMANDS.items()
    )
    return USAGE.format(commands="\n".join(lines))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and turns what went wrong into an exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    escape_output()
    return silent_when_pipe_closes(lambda: _run(words))


def escape_output() -> None:
    """Prints characters that the locale cannot represent as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run(words: list[str]) -> int:
    return guard(lambda: _dispatch(words))


def guard(command: Callable[[], int]) -> int:
    """Runs a command; wrong input becomes one line on standard error and exit code 2."""
    try:
        return command()
    except InputError as error:
        return _fail(f"error: {error}", 2)
    except NotFiniteError as error:
        return _fail(f"diverged: {error}", 1)
    except BrokenPipeError:
        raise  # an OSError, but no file is at fault: `silent_when_pipe_closes` handles it
    except OSError as error:
        return _fail(f"error: {os_error_text(error)}", 2)
    except StoppedError as error:
        return _fail(f"stopped: {error}", 143)
    except KeyboardInterrupt:
        return _fail("stopped", 130)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(usage(), end="")
        return 0 if words else 2
    name, *rest = words
    try:
        command = import_command(name)
    except (ImportError, AttributeError, RuntimeError) as error:
        if clash := _clash():
            raise InputError(clash) from error
        raise
    if name == "doctor":  # it also runs where JAX, and so its compile cache, cannot be imported
        return command(rest)
    from maskjax.cli.compile_cache import use_compile_cache

    return command(use_compile_cache(rest))


def import_command(name: str) -> Callable[[Sequence[str]], int]:
    """Imports one command of `COMMANDS`, and no other."""
    if name not in COMMANDS:
        raise InputError(f"no command {name!r}; {suggest(name, list(COMMANDS))}")
    return import_module(f"maskjax.cli.{MODULES.get(name, name)}").command


def _clash() -> str:
    """Names installed versions that do not fit together, with the remedy; empty where all fit."""
    from maskjax.doctor import diagnose, installed_packages, remedy

    packages = installed_packages()
    findings = diagnose(packages)
    if not findings:
        return ""
    problems = "; ".join(finding.problem for finding in findings)
    return f"{problems}; {remedy(findings, packages)}, then restart Python."


def _fail(message: str, code: int) -> int:
    Console(stderr=True).print(message, highlight=False, markup=False, soft_wrap=True)
    return code
