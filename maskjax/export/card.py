"""The README.md of an exported model."""

from collections.abc import Mapping
from typing import Any

from maskjax.taskfile import describe_outputs, front_matter, score_rows

CARD = """---
{front}
---

# {name}

{what}, as the weights of {base} under what [maskjax](https://arxiv.org/abs/2004.12406) learned
(method: {method}). It is an ordinary model: no code of maskjax is needed to run it.

```python
from transformers import pipeline

classify = pipeline("text-classification", "PATH/TO/THIS/FOLDER")
classify({example}, truncation=True)
```

Texts are cut to {max_length} tokens. It reads {columns}.

| split | {metric} |
|---|---|
{scores}
"""


def model_card(meta: Mapping[str, Any]) -> str:
    """Writes the model card of an exported task.

    Args:
        meta: That of the task file.

    Returns:
        Markdown, with the front matter that the Hugging Face Hub reads.
    """
    task = meta["task"]
    return CARD.format(
        front=front_matter(meta, "transformers").to_yaml(),
        name=task["name"],
        what=describe_outputs(task),
        base=meta["base"]["name"],
        method=meta["config"]["adaptation"]["method"],
        example='{"text": "...", "text_pair": "..."}' if len(task["text"]) == 2 else '"..."',
        max_length=meta["tokenizer"]["max_length"],
        columns=" and ".join(f"`{column}`" for column in task["text"]),
        metric=task["metric"],
        scores=score_rows(meta),
    )
