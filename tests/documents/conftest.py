"""The code blocks of the documents, in the order in which a reader meets them."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
# README first, since the others use the runs that its commands leave.
FIRST = ("README.md", "docs/your-data.md", "docs/serving.md")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?:    .*\n(?:\n(?=    ))?)+")


class Block(NamedTuple):
    """Code in a document; the language of an indented block is `indented`."""

    document: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def first(self) -> str:
        return self.text.splitlines()[0] if self.text else ""


def read_blocks(document: str, text: str) -> list[Block]:
    """Finds fenced and indented code; nothing within a fence counts as indented."""
    found = []
    for match in FENCE.finditer(text):
        dedented = re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)
        found.append((match.start(), match[2], dedented))
    outside = FENCE.sub(lambda match: re.sub("[^\n]", "-", match[0]), text)
    for match in INDENTED.finditer(outside):
        found.append((match.start(), "indented", re.sub("^    ", "", match[0], flags=re.MULTILINE)))
    return [
        Block(document, text.count("\n", 0, start) + 1, language, code)
        for start, language, code in sorted(found)
    ]


@pytest.fixture(scope="session")
def documents() -> dict[str, str]:
    """The text of each document by its path, in reading order."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("tpu/*.md")]
    names = [path.relative_to(ROOT).as_posix() for path in sorted(found)]
    names = [*FIRST, *(name for name in names if name not in FIRST)]
    return {name: (ROOT / name).read_text(encoding="utf8") for name in names}


@pytest.fixture(scope="session")
def blocks(documents) -> list[Block]:
    return [block for name, text in documents.items() for block in read_blocks(name, text)]


@pytest.fixture(scope="session")
def records() -> tuple[str, ...]:
    """Documents whose indented commands took hours and give the numbers next to them."""
    return ("docs/results.md", "docs/results-appendix.md", "docs/study.md")


@pytest.fixture(scope="session")
def excuses() -> dict[tuple[str, str], str]:
    """Why a block is not executed, by its document and the start of its first line."""
    return EXCUSES


# Document, start of the block's first line: the reason why CI does not execute it.
EXCUSES = {
    ("README.md", 'pip install "maskjax[demo] @ git+'): "the reader fills in the address",
    ("README.md", 'pip install -e ".[demo]" "jax[cuda12]"'): "needs a GPU or a TPU VM",
    ("README.md", "make test"): "runs these tests",
    ("README.md", "python train.py --config configs/tasks.py:sst2"): "needs the Hub",
    ("README.md", "maskjax export runs/docs --to onnx"): "needs onnx, another file, the Hub",
    ("CONTRIBUTING.md", "make test"): "runs these tests",
    ("docs/encoders.md", "maskjax train --config tasks:mrpc"): "needs the Hub",
    ("docs/encoders.md", "maskjax train --model.base answerdotai"): "needs the Hub and a TPU",
    ("docs/serving.md", "from maskjax.inference import Predictor"): "needs Ray",
    ("docs/serving.md", "make image"): "needs Docker",
    ("tpu/README.md", 'pip install --upgrade "jax[tpu]"'): "the reader fills in the address",
    ("tpu/README.md", "tpu/vm.sh create"): "needs Google Cloud",
    ("tpu/README.md", "tpu/pod.sh keep"): "needs Google Cloud",
    ("tpu/README.md", "host0$ python train.py"): "needs two machines",
    ("tpu/kaggle.md", "!mkdir -p runs"): "is a cell of a notebook on Kaggle",
}
