"""The masked step in PyTorch, as the paper's reference code computes it.

Every linear layer multiplies by W * binarize(S), with an identity straight-through gradient; Adam
moves the scores.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

from maskjax.models import EncoderConfig


class _Binarize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor) -> torch.Tensor:
        return (scores > 0.01).to(scores.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> torch.Tensor:
        return grad_outputs[0]


class _MaskedLinear(nn.Module):
    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.scores = nn.Parameter(torch.empty_like(linear.weight).uniform_(-0.02, 0.58))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.linear.weight * _Binarize.apply(self.scores)
        return nn.functional.linear(x, weight, self.linear.bias)


def masked_step(config: EncoderConfig, batch: Mapping[str, np.ndarray]) -> Callable[[], None]:
    """Builds the step of a randomly initialized BERT.

    Args:
        config: The encoder.
        batch: Ids, mask and labels.

    Returns:
        A function that makes one step of forward, backward and Adam.
    """
    model = BertForSequenceClassification(
        BertConfig(
            hidden_size=config.hidden_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            intermediate_size=config.intermediate_size,
            hidden_dropout_prob=config.hidden_dropout,
            attention_probs_dropout_prob=config.attention_dropout,
        )
    )
    model.requires_grad_(False).train()
    _mask_linears(model)
    scores = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(scores, lr=1e-4)
    inputs = {
        "input_ids": torch.tensor(batch["input_ids"], dtype=torch.long),
        "attention_mask": torch.tensor(batch["attention_mask"], dtype=torch.long),
        "labels": torch.tensor(batch["labels"], dtype=torch.long),
    }

    def step() -> None:
        optimizer.zero_grad()
        model(**inputs).loss.backward()
        optimizer.step()

    return step


def _mask_linears(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, _MaskedLinear(child))
        else:
            _mask_linears(child)
