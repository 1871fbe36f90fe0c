"""The files of a base: in a local folder, the local cache of the Hugging Face Hub, or the Hub."""

import difflib
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import constants, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from maskjax.errors import InputError, one_line
from maskjax.folders import expand_home
from maskjax.models.hub_retry import with_backoff
from maskjax.models.minilm import NAME as MINILM
from maskjax.models.minilm import minilm_folder
from maskjax.models.weights import has_weights

FILES = [
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
]
"""The files of a repository that a base and its tokenizer need."""


KNOWN = (
    MINILM,
    "bert-base-uncased",
    "bert-large-uncased",
    "roberta-base",
    "roberta-large",
    "distilbert-base-uncased",
    "distilroberta-base",
)
"""Names for which messages suggest a correction."""


class Location(NamedTuple):
    """The location of a checkpoint."""

    folder: Path  # the folder of its files
    revision: str | None  # the commit on the Hub; None for local files


def resolve(name: str, revision: str | None = None, *, offline: bool = False) -> Location:
    """Finds a checkpoint.

    A local folder of this name has precedence, then the installed MiniLM, then the Hub's cache. The
    network is used only if the cache has no such checkpoint.
    """
    if local := _local(name):
        if revision is not None:
            raise InputError(f"{name} is not on the Hub and has no revision {revision!r}; drop it")
        return Location(local, None)
    hint = _spelling_hint(name)
    if name.startswith((".", "~", "/")) or name.count("/") > 1:
        raise InputError(f"{name} does not exist; expected the folder of a checkpoint or a Hub id")
    try:
        folder = _cached(name, revision) or _download(name, revision, offline)
    except HFValidationError as error:
        raise InputError(
            f"{hint}{name} is neither a local folder nor a Hub id ({one_line(error)})"
        ) from error
    except InputError as error:
        raise InputError(f"{hint}{error}") from error
    return Location(folder, folder.name)  # the Hub's cache names a snapshot by its commit


def _spelling_hint(name: str) -> str:
    """The start of a message about a name that is similar to one of `KNOWN`."""
    matches = difflib.get_close_matches(name.lower(), KNOWN, n=1, cutoff=0.75)
    return f"did you mean {matches[0]}? " if matches and matches[0] != name else ""


def _local(name: str) -> Path | None:
    if not name:
        raise InputError("the base has no name; give the folder of a checkpoint or a Hub id")
    folder = expand_home(name)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise InputError(f"{name} is a file; expected the folder of a checkpoint")
    return minilm_folder() if name == MINILM else None


def _cached(name: str, revision: str | None) -> Path | None:
    # snapshot_download(local_files_only=True) would also reject a folder with all needed files.
    config = try_to_load_from_cache(name, "config.json", revision=revision)
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if has_weights(folder) else None


def _download(name: str, revision: str | None, offline: bool) -> Path:
    checkpoint = name if revision is None else f"{name} at revision {revision!r}"
    if offline:
        raise InputError(
            f"{checkpoint} is neither a local folder nor in the cache {constants.HF_HUB_CACHE}; "
            "run once online, or give the folder of a checkpoint"
        )

    def download() -> str:
        return snapshot_download(name, revision=revision, allow_patterns=FILES)

    try:
        return Path(with_backoff(download, checkpoint))
    except InputError:
        raise
    except RevisionNotFoundError as error:
        raise InputError(f"{name} has no revision {revision!r} on the Hub") from error
    except GatedRepoError as error:
        raise InputError(
            f"{name} asks for an agreement; accept it on the Hub and log in"
        ) from error
    except RepositoryNotFoundError as error:
        raise InputError(
            f"{name} is neither a local folder nor a repository on the Hub; check the spelling, "
            "or log in if the repository is private"
        ) from error
    except Exception as error:  # the classes of network errors differ between client versions
        raise InputError(
            f"{checkpoint} is not in the cache {constants.HF_HUB_CACHE} and the download failed;"
            f" check the network, or give the folder of a checkpoint ({one_line(error)})"
        ) from error
