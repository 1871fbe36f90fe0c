"""The README.md of an exported model."""

from collections.abc import Mapping
from typing import Any

from maskjax.tasks import Task

CARD = """---
library_name: transformers
pipeline_tag: text-classification
tags:
- maskjax
{front}---

# {name}

{what}, as the weights of {base} under what [maskjax](https://arxiv.org/abs/2004.12406) learned
(method: {method}). It is an ordinary model: no code of maskjax is needed to run it.

```python
from transformers import pipeline

classify = pipeline("text-classification", "PATH/TO/THIS/FOLDER")
classify({example}, truncation=True)
```

Texts are cut to {max_length} tokens. {reads}

| split | {metric} |
|---|---|
{scores}
"""


def model_card(meta: Mapping[str, Any], task: Task) -> str:
    """Writes the model card of an exported task.

    Args:
        meta: That of the task file.
        task: The task.

    Returns:
        Markdown, with the front matter that the Hugging Face Hub reads.
    """
    base, config = meta["base"], meta["config"]
    scores = [f"| {split} | {score:.4f} |" for split, score in meta["scores"].items()]
    return CARD.format(
        name=task.name,
        what=_what(task),
        base=base["name"],
        front=f"base_model: {base['name']}\n" if base["revision"] else "",  # set for Hub ids only
        method=config["adaptation"]["method"],
        example='{"text": "...", "text_pair": "..."}' if len(task.text) == 2 else '"..."',
        max_length=config["task"]["max_length"],
        reads=f"It reads {' and '.join(f'`{column}`' for column in task.text)}.",
        metric=task.metric,
        scores="\n".join(scores or ["| not measured | |"]),
    )


def _what(task: Task) -> str:
    if task.kind == "regression":
        return "Regression: the score is the number itself"
    return f"Classification into {', '.join(f'`{label}`' for label in task.labels)}"
