"""To PyTorch and back: Hugging Face folders, masks for a live model, the reference code's scores.

Only ONNX needs PyTorch. The one module that imports it at the top is `maskjax_torch`, which is
shipped with exported masks and imports nothing of maskjax.
"""

from maskjax.export.huggingface import export_hf
from maskjax.export.imported_run import kind_of_head, save_imported
from maskjax.export.importing import Imported, import_state
from maskjax.export.onnx import export_onnx, require_onnx
from maskjax.export.parameter_names import list_names
from maskjax.export.state_dict import read_state_dict
from maskjax.export.torch_masks import export_torch_masks

__all__ = [
    "Imported",
    "export_hf",
    "export_onnx",
    "export_torch_masks",
    "import_state",
    "kind_of_head",
    "list_names",
    "read_state_dict",
    "require_onnx",
    "save_imported",
]
