"""Checkpoints of any size with random weights, for what does not depend on them."""

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from benchmarks.harness import Size, make_encoder, random_params
from maskjax.masking import flatten_with_paths
from maskjax.models import build_model, swap_layout, torch_name
from maskjax.models.minilm import minilm_folder
from maskjax.models.model import pretrained_part


def write_random_base(size: Size, folder: Path) -> Path:
    """Writes a BERT checkpoint with random weights and MiniLM's tokenizer.

    Args:
        size: Its shape.
        folder: Is made.

    Returns:
        The folder.
    """
    shutil.copytree(minilm_folder(), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    values = json.loads((folder / "config.json").read_text()) | {
        "hidden_size": size.hidden_size,
        "num_hidden_layers": size.num_layers,
        "intermediate_size": size.intermediate_size,
    }
    (folder / "config.json").write_text(json.dumps(values))
    model = build_model(make_encoder(size, 0.0), 2)
    leaves = flatten_with_paths(pretrained_part(model._replace(abstract=random_params(model))))
    tensors = {
        torch_name(path, "bert"): np.ascontiguousarray(swap_layout(path, np.asarray(leaf)))
        for path, leaf in leaves.items()
    }
    save_file(tensors, folder / "model.safetensors")
    return folder
