"""BERT (arXiv 1810.04805)."""

from maskjax.models.architecture import Architecture
from maskjax.models.heads import PoolerHead, TokenHead

BERT = Architecture(
    name="bert",
    torch_name="Bert",
    prefix="bert",
    heads={
        "classification": PoolerHead,
        "regression": PoolerHead,
        "tokens": TokenHead,
        "choice": PoolerHead,
    },
    traits={"uses_token_types": True, "has_pooler": True},
    unused=(
        r"embeddings\.position_ids",
        r"cls\..+",
        r"pooler\.dense\.(weight|bias)",
        r"(classifier|qa_outputs)\.(weight|bias)",
    ),
)
