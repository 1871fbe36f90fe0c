"""The settings of a run, as frozen dataclasses: a run is a function of (config, seed).

Fields are scalars, tuples, literals and optional values only, so that a configuration reads the
same in Python, on the command line and in the JSON file that is saved with the run.
"""

from maskjax.config.adaptation import AdaptationConfig, Method
from maskjax.config.config import Config
from maskjax.config.file import (
    config_from_dict,
    config_to_dict,
    flat_settings,
    known_settings,
    load_config,
)
from maskjax.config.json_file import parse_json, read_json
from maskjax.config.mesh import MeshConfig
from maskjax.config.model import ModelConfig
from maskjax.config.optimizer import OptimizerConfig
from maskjax.config.serving import Limits
from maskjax.config.task import Metric, TaskConfig
from maskjax.config.train import TrainConfig

__all__ = [
    "AdaptationConfig",
    "Config",
    "Limits",
    "MeshConfig",
    "Method",
    "Metric",
    "ModelConfig",
    "OptimizerConfig",
    "TaskConfig",
    "TrainConfig",
    "config_from_dict",
    "config_to_dict",
    "flat_settings",
    "known_settings",
    "load_config",
    "parse_json",
    "read_json",
]
