"""The command `maskjax`: the list of its commands, and what becomes of errors."""

import sys
from collections.abc import Callable, Sequence

from rich.console import Console

from maskjax.errors import InputError

USAGE = """usage: maskjax COMMAND [options]

Adapt a pretrained BERT, RoBERTa or DistilBERT by learning which of its weights to keep.

  train      learn a mask (or finetune, LoRA, ...) for a task      maskjax train --out runs/first
  tasks      the tasks that are known by name                      maskjax tasks
  evaluate   score a finished run on its splits                    maskjax evaluate runs/first
  predict    label texts with a finished run       maskjax predict runs/first --text "Returns x."
  submit     a GLUE run's test predictions     maskjax submit runs/first --out submission
  info       what a run dropped, by block and kind                 maskjax info runs/first
  export     a finished run for PyTorch    maskjax export runs/first --to hf --out exported
  import     masks that PyTorch code learned    maskjax import best.pt --out runs/imported
  push       a task file with its card to the Hub         maskjax push runs/first --to owner/name
  diff       two tasks' masks against each other         maskjax diff runs/first runs/second
  combine    a task file of the masks of others    maskjax combine runs/a runs/b --out both.mask
  shrink     a smaller task file     maskjax shrink runs/first --out small.safetensors
  ensemble   several runs of one task as one      maskjax ensemble runs/a runs/b --by vote
  vectors    [CLS] vectors of a split with its labels  maskjax vectors runs/first --out cls.tsv
  analyze    studies of finished runs, with figures    maskjax analyze
  report     runs as one page that opens offline     maskjax report runs/* --out report.html
  serve      many tasks on one base over HTTP    maskjax serve --base minilm --tasks runs
  memory     what many tasks on one base take            maskjax memory --base minilm
  demo       masking against finetuning on a real BERT             maskjax demo --out runs/demo
  doctor     versions, devices, known-bad combinations             maskjax doctor

maskjax COMMAND --help lists the options of a command.

Tokenised rows and compiled programs are kept for the next run in ~/.cache/maskjax; MASKJAX_CACHE
names another folder. MASKJAX_COMPILE_CACHE puts the programs elsewhere, gs:// addresses included,
for a disk that is lost between runs; with MASKJAX_COMPILE_CACHE=off, or --no-compile-cache after
the command, everything is compiled anew.
"""


def _commands() -> dict[str, Callable[[Sequence[str]], int]]:
    """Imports the commands; not at the top, so that --help answers at once."""
    from maskjax.cli import (
        analyze,
        compare,
        demo,
        ensemble,
        exchange,
        inspection,
        memory,
        predict,
        report,
        saved,
        serve,
        shrink,
        submit,
        tasks,
        train,
        vectors,
    )

    return {
        "train": train.command,
        "tasks": tasks.command,
        "evaluate": saved.evaluate_command,
        "predict": predict.command,
        "submit": submit.command,
        "info": inspection.info_command,
        "export": exchange.export_command,
        "import": exchange.import_command,
        "push": exchange.push_command,
        "diff": compare.diff_command,
        "combine": compare.combine_command,
        "shrink": shrink.command,
        "ensemble": ensemble.ensemble_command,
        "vectors": vectors.vectors_command,
        "analyze": analyze.command,
        "report": report.command,
        "serve": serve.command,
        "memory": memory.command,
        "demo": demo.command,
        "doctor": inspection.doctor_command,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and turns what went wrong into an exit code.

    Args:
        arguments: The words after `maskjax`; None takes those of the process.

    Returns:
        0 where all went well, 1 where training diverged, 2 where the input is wrong, 130 where
        the user stopped it, 143 where SIGTERM stopped training, which is saved.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if words else 2
    return guard(lambda: _dispatch(words))


def guard(command: Callable[[], int]) -> int:
    """Runs a command; wrong input becomes one line on standard error and exit code 2.

    Args:
        command: What to run.

    Returns:
        Its exit code, or the code of what went wrong.
    """
    from maskjax.training import NotFiniteError, StoppedError

    try:
        return command()
    except InputError as error:
        return _fail(f"error: {error}", 2)
    except NotFiniteError as error:
        return _fail(f"diverged: {error}", 1)
    except OSError as error:
        return _fail(f"error: {error.filename or 'a file'}: {error.strerror}", 2)
    except StoppedError as error:
        return _fail(f"stopped: {error}", 143)
    except KeyboardInterrupt:
        return _fail("stopped", 130)


def _dispatch(words: list[str]) -> int:
    from maskjax.cli.compile_cache import use_compile_cache

    name, *words = use_compile_cache(words) or [""]
    commands = _commands()
    if name not in commands:
        raise InputError(f"no command {name!r}; there are: {', '.join(commands)}.")
    return commands[name](words)


def _fail(message: str, code: int) -> int:
    Console(stderr=True).print(message, highlight=False, markup=False, soft_wrap=True)
    return code
