"""The command `maskjax`: the list of its commands, and exit codes for errors."""

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from importlib import import_module
from typing import Any, NamedTuple

from rich.console import Console

from maskjax.cli.closed_pipe import silent_when_pipe_closes
from maskjax.cli.show import show_progress
from maskjax.errors import InputError, NotFiniteError, StoppedError, os_error_text, suggest


class Command(NamedTuple):
    """One line of a list of commands."""

    module: str  # a module of `maskjax` with a function of its own name, the command
    help: str
    example: str = ""


COMMANDS = {
    "train": Command("cli.train", "learn a mask (or finetune, LoRA, ...)", "--out runs/first"),
    "tasks": Command("cli.tasks", "the tasks that are known by name"),
    "models": Command("cli.models", "the families of encoders, for --model.base"),
    "evaluate": Command("cli.evaluate", "score a run on any rows with labels", "runs/first"),
    "predict": Command(
        "cli.predict", "label texts with a finished run", 'runs/first --text "Good."'
    ),
    "submit": Command("cli.submit", "a GLUE run's test predictions", "runs/first --out submission"),
    "info": Command("cli.info", "what a run dropped, by block and matrix type", "runs/first"),
    "export": Command("cli.export", "a finished run for PyTorch", "runs/first --to hf --out hf"),
    "import": Command(
        "cli.import_", "masks that PyTorch code learned", "best.pt --out runs/imported"
    ),
    "push": Command(
        "cli.push", "a task file with its card to the Hub", "runs/first --to owner/name"
    ),
    "diff": Command("cli.diff", "two tasks' masks against each other", "runs/first runs/second"),
    "combine": Command(
        "cli.combine", "a task file of the masks of others", "runs/a runs/b --out both.mask"
    ),
    "shrink": Command("cli.shrink", "a smaller task file", "runs/first --out small.mask"),
    "ensemble": Command(
        "cli.ensemble", "several runs of one task as one", "runs/a runs/b --by vote"
    ),
    "vectors": Command(
        "cli.vectors", "[CLS] vectors of a split with its labels", "runs/first --out cls.tsv"
    ),
    "analyze": Command("analysis", "studies of finished runs, with figures"),
    "report": Command(
        "cli.report", "runs as one page that opens offline", "runs/* --out report.html"
    ),
    "serve": Command("cli.serve", "many tasks on one base over HTTP", "--base minilm --tasks runs"),
    "memory": Command("cli.memory", "what many tasks on one base take", "--base minilm"),
    "demo": Command("cli.demo", "masking against finetuning on a real BERT", "--out runs/demo"),
    "doctor": Command("cli.doctor", "versions, devices, known-bad combinations"),
}
"""The commands by name; `analyze` is followed by one of `STUDIES`."""
STUDIES = {
    "dissimilarity": Command(
        "analysis.dissimilarity",
        "how far masks are apart, against independent masks of the same densities",
    ),
    "dropped": Command(
        "analysis.dropped",
        "what masks dropped, by block, matrix type, head and neuron, and against magnitude",
    ),
    "restored": Command(
        "analysis.zero_ablation", "what changes when the zeros of a block are set back to one"
    ),
    "transfer": Command(
        "analysis.transfer", "runs on the rows of each other's tasks, over the majority vote"
    ),
    "representations": Command(
        "analysis.representations",
        "[CLS] vectors of runs and their base: pictures, linear probes, CKA",
    ),
    "connect": Command(
        "analysis.connect", "loss and score along curves between runs of one task, and the barriers"
    ),
    "plane": Command(
        "analysis.plane", "loss and score on the plane through three runs of one task"
    ),
    "sparsity": Command(
        "analysis.sparsity_sweep",
        "trains masks from several sparsities on, and masks that were not learned",
    ),
    "layers": Command(
        "analysis.layer_sweep",
        "trains masks over some blocks or matrix types, for score and bytes",
    ),
}
"""The studies of `maskjax analyze` by name."""
USAGE = """usage: maskjax COMMAND [options]

Adapt a pretrained encoder, such as BERT or ModernBERT, by learning which weights to keep.

{commands}

maskjax COMMAND --help lists the options of a command.

Tokenized rows and compiled programs are kept for the next run in ~/.cache/maskjax; MASKJAX_CACHE
names another folder. MASKJAX_COMPILE_CACHE puts the programs elsewhere, gs:// addresses included,
for a disk that is lost between runs; with MASKJAX_COMPILE_CACHE=off, or --no-compile-cache after
the command, everything is compiled again.
"""
STUDY_USAGE = """usage: maskjax analyze STUDY RUN... --out FOLDER [options]

Studies of finished runs. Each draws figures (.svg, .png) with their numbers (.csv) into a folder.

{commands}

The last two train their own runs: maskjax analyze sparsity --config tasks:trec,small --out FOLDER

maskjax analyze STUDY --help lists the options of a study.
"""
NO_COMPILE_CACHE = "--no-compile-cache"
"""The word on the command line that turns the compile cache off."""


def usage() -> str:
    """The text of `maskjax --help`."""
    lines = (
        f"  {name:9}  {command.help:41} maskjax {name} {command.example}".rstrip()
        for name, command in COMMANDS.items()
    )
    return USAGE.format(commands="\n".join(lines))


def study_usage() -> str:
    """The text of `maskjax analyze --help`."""
    lines = (f"  {name:15}  {command.help}" for name, command in STUDIES.items())
    return STUDY_USAGE.format(commands="\n".join(lines))


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
    _, commands, rest = _list_of(words)
    if not rest or rest[0] in ("-h", "--help"):
        print(study_usage() if commands is STUDIES else usage(), end="")
        return 0 if rest else 2
    with show_progress() if commands is STUDIES else nullcontext():
        function, arguments = parse_command(words)
        if words[0] != "doctor":  # it also runs where JAX cannot be imported
            _prepare_jax(compile_cache=NO_COMPILE_CACHE not in words)
        return function(**arguments) or 0


def parse_command(words: Sequence[str]) -> tuple[Callable[..., int | None], dict[str, Any]]:
    """Imports one command, and no other, and parses its options."""
    from maskjax.cli.parse import parse

    prog, commands, (name, *rest) = _list_of(words)
    if name not in commands:
        noun = "study" if commands is STUDIES else "command"
        raise InputError(f"no {noun} {name!r}; {suggest(name, list(commands))}")
    path = commands[name].module
    function = getattr(import_module(f"maskjax.{path}"), path.rpartition(".")[2])
    options = [word for word in rest if word != NO_COMPILE_CACHE]
    return function, parse(function, options, f"{prog} {name}")


def _list_of(words: Sequence[str]) -> tuple[str, Mapping[str, Command], Sequence[str]]:
    """The list that a command is in, and the words that begin with its name there."""
    if words[:1] == ["analyze"]:
        return "maskjax analyze", STUDIES, words[1:]
    return "maskjax", COMMANDS, words


def _prepare_jax(*, compile_cache: bool) -> None:
    """Imports JAX and Flax, and turns the compile cache on before any array is made."""
    try:
        import maskjax.models  # noqa: F401  # imports both
        from maskjax.cli.compile_cache import use_compile_cache
    except (ImportError, AttributeError, RuntimeError) as error:
        if clash := _clash():
            raise InputError(clash) from error
        raise
    use_compile_cache(enabled=compile_cache)


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
