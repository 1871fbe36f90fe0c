"""Suggestions for options that people know from other programs, such as `--lr`."""

from collections.abc import Iterable, Sequence

from maskjax.errors import InputError

SYNONYMS = {
    "lr": "learning_rate",
    "bs": "batch_size",
    "num_epochs": "epochs",
    "num_train_epochs": "epochs",
    "max_len": "max_length",
    "max_seq_length": "max_length",
    "doc_stride": "stride",
    "model": "base",
    "model_name": "base",
    "model_name_or_path": "base",
    "data": "path",
    "train_file": "path",
    "output": "out",
    "output_dir": "out",
    "wd": "weight_decay",
}
"""Other programs' names of settings."""


def check_options(words: Sequence[str], settings: Iterable[str], own: Iterable[str]) -> None:
    """Refuses an option that lacks the part of the settings that it is in, and names it.

    Example:
        >>> check_options(["--lr", "1e-3"], ["optimizer.learning_rate"], [])
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: --lr: no such option; did you mean --optimizer.learning-rate?
    """
    full = [*settings, *own]
    for word in words:
        option = word.split("=")[0]
        name = option.lstrip("-").replace("-", "_")
        if not option.startswith("-") or name in full or name.removeprefix("no_") in full:
            continue
        last = SYNONYMS.get(name, name)
        matches = [known for known in full if known.rpartition(".")[2] == last]
        if matches:
            options = ", ".join(f"--{known.replace('_', '-')}" for known in matches)
            raise InputError(f"{option}: no such option; did you mean {options}?")
