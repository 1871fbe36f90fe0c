"""The README.md of an exported model."""

from collections.abc import Mapping
from typing import Any

from maskjax.taskfile import (
    describe_lengths,
    describe_outputs,
    front_matter,
    score_rows,
    stride_of,
)

CARD = """---
{front}
---

# {name}

{what}, as the weights of {base} under what [maskjax](https://arxiv.org/abs/2004.12406) learned
(method: {method}). It is an ordinary model: no code of maskjax is needed to run it.

```python
{usage}
```

It reads {columns}, {lengths}.

| split | {metric} |
|---|---|
{scores}
"""

TEXT_USAGE = """\
from transformers import pipeline

classify = pipeline("text-classification", "PATH/TO/THIS/FOLDER")
classify({example}, truncation=True)"""

TEXT_WINDOWS = """\
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("PATH/TO/THIS/FOLDER")
model = AutoModelForSequenceClassification.from_pretrained("PATH/TO/THIS/FOLDER").eval()
options = {{"truncation": True, "stride": {stride}, "return_overflowing_tokens": True}}
windows = tokenizer({texts}, padding=True, return_tensors="pt", **options)
windows.pop("overflow_to_sample_mapping")
logits = model(**windows).logits.mean(0)  # of all windows of the text"""

TOKENS_WINDOWS = """\
from transformers import pipeline

options = {{"aggregation_strategy": "simple", "stride": {stride}}}
label = pipeline("token-classification", "PATH/TO/THIS/FOLDER", **options)
label("...")  # read in windows"""

TOKENS_USAGE = """\
from transformers import pipeline

label = pipeline("token-classification", "PATH/TO/THIS/FOLDER")
label("...")  # a label for each word piece"""

CHOICE_USAGE = """\
from transformers import AutoModelForMultipleChoice, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("PATH/TO/THIS/FOLDER")
model = AutoModelForMultipleChoice.from_pretrained("PATH/TO/THIS/FOLDER")
contexts, choices = ["..."] * {number}, ["..."] * {number}
inputs = tokenizer(contexts, choices, padding=True, truncation=True, return_tensors="pt")
logits = model(**{{name: array[None] for name, array in inputs.items()}}).logits
model.config.id2label[int(logits.argmax())]"""


def model_card(meta: Mapping[str, Any]) -> str:
    """Writes the model card of an exported task."""
    task = meta["task"]
    return CARD.format(
        front=front_matter(meta, "transformers").to_yaml(),
        name=task["name"],
        what=describe_outputs(task),
        base=meta["base"]["name"],
        method=meta["config"]["adaptation"]["method"],
        usage=_usage(task, stride_of(meta)),
        lengths=describe_lengths(meta),
        columns=" and ".join(f"`{column}`" for column in task["text"]),
        metric=task["metric"],
        scores=score_rows(meta),
    )


def _usage(task: Mapping[str, Any], stride: int | None) -> str:
    """Python that runs the exported model on a text."""
    pair = len(task["text"]) == 2
    match task["kind"]:
        case "tokens":
            return TOKENS_USAGE if stride is None else TOKENS_WINDOWS.format(stride=stride)
        case "choice":
            return CHOICE_USAGE.format(number=len(task["labels"]))
        case _:
            if stride is not None:
                texts = '"...", "..."' if pair else '"..."'
                return TEXT_WINDOWS.format(texts=texts, stride=stride)
            example = '{"text": "...", "text_pair": "..."}' if pair else '"..."'
            return TEXT_USAGE.format(example=example)
