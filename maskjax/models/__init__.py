"""Pretrained encoders behind pure functions, one file per family in `maskjax.models.families`.

Flax is used in this package and nowhere else. What leaves it are nested dicts of arrays, and
functions over them.
"""

from maskjax.models.architecture import Architecture
from maskjax.models.base import Base, load_base
from maskjax.models.cast import cast_matrices
from maskjax.models.config import EncoderConfig, TaskType
from maskjax.models.hf_names import (
    fused_paths,
    is_ignored,
    normalize_name,
    state_dict_key,
    swap_layout,
    torch_name,
)
from maskjax.models.matrix_types import (
    MATRIX_TYPES,
    block_of,
    count_by_block,
    count_by_type,
    encoder_rules,
    matrix_type,
)
from maskjax.models.model import Model, build_model, head_paths, init_head, with_head
from maskjax.models.registry import (
    ARCHITECTURES,
    architecture_of,
    read_config,
    register_architecture,
)
from maskjax.models.reinit import reinitialize
from maskjax.models.unshare import unshare

__all__ = [
    "ARCHITECTURES",
    "MATRIX_TYPES",
    "Architecture",
    "Base",
    "EncoderConfig",
    "Model",
    "TaskType",
    "architecture_of",
    "block_of",
    "build_model",
    "cast_matrices",
    "count_by_block",
    "count_by_type",
    "encoder_rules",
    "fused_paths",
    "head_paths",
    "init_head",
    "is_ignored",
    "load_base",
    "matrix_type",
    "normalize_name",
    "read_config",
    "register_architecture",
    "reinitialize",
    "state_dict_key",
    "swap_layout",
    "torch_name",
    "unshare",
    "with_head",
]
