"""RoBERTa (arXiv 1907.11692) and its relatives XLM-RoBERTa (1911.02116) and CamemBERT (1911.03894).

They compute the same. Their tokenizers differ, and so do the names of their classes in PyTorch.
"""

from dataclasses import replace

from maskjax.models.architecture import COPIES, DEFAULTS, Architecture, after_padding
from maskjax.models.heads import PoolerHead, TanhHead, TokenHead

ROBERTA = Architecture(
    name="roberta",
    torch_name="Roberta",
    prefix="roberta",
    heads={
        "classification": TanhHead,
        "regression": TanhHead,
        "tokens": TokenHead,
        "choice": PoolerHead,
    },
    defaults=DEFAULTS | {"pad_token_id": 1},
    traits={"positions": "tokens", "uses_token_types": False},
    refine=after_padding,
    copies=COPIES | {"choice_dropout": "hidden_dropout"},
    unused=(
        r"embeddings\.(position_ids|token_type_ids)",
        r"lm_head\..+",
        r"pooler\.dense\.(weight|bias)",
        r"classifier\.((dense|out_proj)\.)?(weight|bias)",
        r"qa_outputs\.(weight|bias)",
    ),
)
XLM_ROBERTA = replace(ROBERTA, name="xlm-roberta", torch_name="XLMRoberta")
CAMEMBERT = replace(ROBERTA, name="camembert", torch_name="Camembert")
