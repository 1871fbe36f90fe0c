"""ELECTRA's discriminators (arXiv 2003.10555): BERT without pooler, embeddings of another width."""

from maskjax.models.architecture import COMPUTED, DEFAULTS, KEYS, Architecture
from maskjax.models.heads import GeluHead, SummaryHead, TokenHead

ELECTRA = Architecture(
    name="electra",
    torch_name="Electra",
    prefix="electra",
    heads={
        "classification": GeluHead,
        "regression": GeluHead,
        "tokens": TokenHead,
        "choice": SummaryHead,
    },
    keys=KEYS | {"embedding_size": "embedding_size", "choice_dropout": "summary_last_dropout"},
    defaults=DEFAULTS | {"embedding_size": 128, "choice_dropout": 0.1},
    traits={"uses_token_types": True},
    computed=COMPUTED
    | {"summary_type": "first", "summary_use_proj": True, "summary_activation": "gelu"},
    unused=(
        r"embeddings\.position_ids",
        r"(discriminator_predictions|generator_predictions|generator_lm_head)\..+",
        r"classifier\.((dense|out_proj)\.)?(weight|bias)",
        r"(qa_outputs|sequence_summary\.summary)\.(weight|bias)",
    ),
)
