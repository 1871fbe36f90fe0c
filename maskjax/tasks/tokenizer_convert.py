"""Tokenizers that only transformers reads: converted once, and kept as tokenizer.json.

The name of an entry is a hash of all that transformers reads and of its version. The entries are in
the folder of the cache, since a base may be in a folder that is shared or cannot be written, and
since other programs read tokenizer.json of a base too. It may be deleted at any time.
"""

import hashlib
import importlib
import json
import os
import shutil
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import tokenizers

from maskjax.errors import InputError
from maskjax.extras import require
from maskjax.folders import cache_folder
from maskjax.tasks.tokenizer_class import Tokenizer
from maskjax.tasks.tokenizer_file import TOKENIZER_JSON, exact_unigram

if TYPE_CHECKING:  # slow to import
    from transformers import PreTrainedTokenizerFast

FORMAT = 1
"""The version of an entry."""
SETTINGS = "maskjax.json"
VOCABULARIES = ("vocab.txt", "vocab.json")
SENTENCEPIECE = ("sentencepiece.bpe.model", "spiece.model", "spm.model", "tokenizer.model")
"""The vocabularies of SentencePiece, as the families call them."""
TOKENIZER_FILES = (TOKENIZER_JSON, *VOCABULARIES, *SENTENCEPIECE)
"""A tokenizer is read from the first of these that exists."""
SUFFIXES = (".json", ".txt", ".model")
"""The files of a folder that a tokenizer may depend on."""


def convert_tokenizer(folder: Path, **options: bool) -> Tokenizer:
    """Reads a tokenizer that transformers has converted before, or lets it convert one.

    Args:
        folder: A folder in the layout of Hugging Face.
        **options: Override those of tokenizer_config.json.

    Returns:
        The tokenizer. Without a cache folder, or where it cannot be written, it is converted again
        the next time.

    Raises:
        InputError: If it cannot be read, has no fast form, or needs a package that is missing.
    """
    cache = cache_folder()
    entry = cache and cache / "tokenizers" / _key(folder, options)
    if entry and (kept := _read(entry)):
        return kept
    whole = load_with_transformers(folder, **options)
    tokenizer = Tokenizer(
        whole.backend_tokenizer,
        whole.model_input_names,
        whole.truncation_side,
        getattr(whole, "add_prefix_space", True),
    )
    if entry:
        _write(entry, tokenizer)
    return tokenizer


def load_with_transformers(folder: Path, **options: bool) -> "PreTrainedTokenizerFast":
    """Loads the fast tokenizer of transformers itself."""
    _require_sentencepiece(folder)
    loader = import_transformers().AutoTokenizer
    try:
        tokenizer = loader.from_pretrained(folder, local_files_only=True, **options)
    except Exception as error:  # the class depends on the defect
        reason = " ".join(str(error).split())
        raise InputError(f"{folder}: the tokenizer cannot be read: {reason}") from error
    if not tokenizer.is_fast:
        raise InputError(f"{folder}: expected a tokenizer that has a fast form; it has none.")
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        # transformers makes one of nothing else where it does not find the file of the vocabulary.
        raise InputError(
            f"{folder}: the tokenizer has no vocabulary; a {type(tokenizer).__name__} expects it in"
            f" {' or '.join([*type(tokenizer).vocab_files_names.values(), TOKENIZER_JSON])}."
        )
    return tokenizer


def import_transformers() -> ModuleType:
    """Imports transformers without its warning that PyTorch was not found."""
    name = "TRANSFORMERS_NO_ADVISORY_WARNINGS"
    previous = os.environ.get(name)
    # The warning is printed during the import, before its logger can be set up.
    os.environ[name] = "1"
    try:
        return importlib.import_module("transformers")
    finally:
        if previous is None:
            del os.environ[name]
        else:
            os.environ[name] = previous


def _require_sentencepiece(folder: Path) -> None:
    names = [name for name in TOKENIZER_FILES if (folder / name).is_file()]
    if names and names[0] in SENTENCEPIECE:
        packages = ("sentencepiece", "google.protobuf")
        require(str(folder / names[0]), *packages, install="maskjax[sentencepiece]")


def _key(folder: Path, options: dict[str, bool]) -> str:
    files = sorted(f for f in folder.iterdir() if f.suffix in SUFFIXES and f.is_file())
    content = {
        "format": FORMAT,
        "versions": [version("transformers"), version("tokenizers")],
        "options": options,
        "files": {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files},
    }
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _read(entry: Path) -> Tokenizer | None:
    """Reads an entry, if it is there and not damaged."""
    try:
        content = (entry / TOKENIZER_JSON).read_bytes()
        settings = json.loads((entry / SETTINGS).read_bytes())
        if settings.pop("sha256") != hashlib.sha256(content).hexdigest():
            return None
        splits_special = settings.pop("encode_special_tokens")
        rust = _parse(content)
        rust.encode_special_tokens = splits_special
        return Tokenizer(rust, **settings)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # and it is written again


def _parse(content: bytes) -> tokenizers.Tokenizer:
    if b'"Unigram"' in content:
        values = json.loads(content)
        if values["model"]["type"] == "Unigram":
            return exact_unigram(values)
    return tokenizers.Tokenizer.from_str(content.decode())


def _write(entry: Path, tokenizer: Tokenizer) -> None:
    rust = tokenizer.backend_tokenizer
    try:
        content = rust.to_str().encode()
    except Exception:  # a part is written in Python and has no JSON
        return
    settings: dict[str, Any] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "model_input_names": tokenizer.model_input_names,
        "truncation_side": tokenizer.truncation_side,
        "add_prefix_space": tokenizer.add_prefix_space,
        "encode_special_tokens": rust.encode_special_tokens,
    }
    temporary = entry.with_name(f"{entry.name}.{os.getpid()}.part")
    try:
        temporary.mkdir(parents=True)
        (temporary / TOKENIZER_JSON).write_bytes(content)
        (temporary / SETTINGS).write_text(json.dumps(settings), encoding="utf8")
        shutil.rmtree(entry, ignore_errors=True)
        temporary.rename(entry)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)  # a cache that cannot be written is no error
