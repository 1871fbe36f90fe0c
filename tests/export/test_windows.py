"""The code in an exported task's README reads long texts in windows, as maskjax does."""

import re

import numpy as np
import pytest

from maskjax.config import AdaptationConfig
from maskjax.export import export_hf, export_torch_masks
from maskjax.inference import load_run
from maskjax.tasks import Split

pytest.importorskip("torch", reason="needs PyTorch, the oracle of this test")
LETTERS = list("abcdefghijklmnopqrst")
LONG = " ".join(LETTERS * 4)


@pytest.fixture
def exported(base_of, task_of, write_run, tmp_path):
    def make(kind, stride=6):
        masked = AdaptationConfig(initializer="uniform", sparsity=0.3, blocks=(1, 2))
        write_run(base_of("bert"), task_of(kind), masked, tmp_path / "run", stride=stride)
        run = load_run(tmp_path / "run")
        export_hf(run, tmp_path / "out")
        return run, tmp_path / "out"

    return make


def run_readme(folder, texts) -> dict:
    """Runs the Python of the card with the folder and texts that it leaves open."""
    (code,) = re.findall(r"```python\n(.*?)\n```", (folder / "README.md").read_text(), re.DOTALL)
    code = code.replace("PATH/TO/THIS/FOLDER", str(folder))
    for text in texts:
        code = code.replace('"..."', repr(text), 1)
    names: dict = {}
    exec(code, names)
    return names


@pytest.mark.parametrize(
    ("kind", "row"), [("classification", (LONG,)), ("regression", ("a b", LONG))]
)
def test_the_card_gives_the_logits_of_windows(exported, kind, row):
    run, folder = exported(kind)
    logits = run_readme(folder, row)["logits"].detach().numpy()
    encoded = run.encode(Split([row], np.zeros(1, np.int32), kind))
    assert encoded.windows > 3
    np.testing.assert_allclose(logits, run.logits(encoded)[0], atol=1e-5)
    assert (
        "read in windows of 24 tokens, of which neighbors share 6"
        in (folder / "README.md").read_text()
    )


def test_the_card_labels_words_to_the_end(exported):
    _, folder = exported("tokens")
    names = run_readme(folder, ["a"])
    entities = names["label"](LONG)
    assert max(entity["end"] for entity in entities) > 120
    assert "stride" in (folder / "README.md").read_text()


def test_the_card_of_a_task_without_windows_says_that_texts_are_cut(exported):
    _, folder = exported("classification", stride=None)
    text = (folder / "README.md").read_text()
    assert "cut to 24 tokens" in text
    assert "stride" not in text


def test_masks_for_pytorch_say_the_stride(exported, tmp_path):
    run, _ = exported("classification")
    export_torch_masks(run, tmp_path / "masks")
    assert '"stride": 6' in (tmp_path / "masks" / "task.json").read_text()
