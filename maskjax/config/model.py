"""Settings of the pretrained model."""

from dataclasses import dataclass
from typing import Literal

Part = Literal[
    "embeddings",
    "layer_norm",
    "attention",
    "attention_output",
    "intermediate",
    "output",
    "convolution",
    "pooler",
]
"""Parts of an encoder that can be re-initialized. All LayerNorms are one part."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which pretrained model stands under the task.

    Attributes:
        base: A local folder or a Hugging Face Hub id with the checkpoint of an encoder in
            safetensors: BERT, RoBERTa, XLM-RoBERTa, CamemBERT, DistilBERT, ELECTRA, MPNet,
            ALBERT, DeBERTa-v2 and -v3, ModernBERT, EuroBERT or EmbeddingGemma.
        revision: A commit, branch or tag on the Hub.
        dtype: The dtype of activations and products; scores, loss and logits stay in float32.
        frozen_dtype: The dtype in which frozen matrices are held while a mask or an adapter is
            learned; `bfloat16` halves them. Task files are for the base as it is stored.
        offline: Never ask the network, use only what is stored locally: of the base, the rows
            of the task and the masks of an earlier run.
        reinit: Parts of the checkpoint that are re-initialized before anything is learned, to see
            what pretraining gave them (the control of lottery tickets).
        reinit_seed: Seed of these random weights.
        unshare: Learn for each application of a block what is learned, such as a mask at one bit
            per weight, if the encoder applies one block again and again, as ALBERT does; memory
            holds that block once.
    """

    base: str = "bert-base-uncased"
    revision: str | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    frozen_dtype: Literal["float32", "bfloat16"] = "float32"
    offline: bool = False
    reinit: tuple[Part, ...] = ()
    reinit_seed: int = 0
    unshare: bool = False
