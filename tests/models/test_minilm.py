"""A real pretrained BERT, and the same weights re-expressed as the other families."""

import jax
import numpy as np
import pytest

from experiments.reexpress import write_as_distilbert, write_as_roberta
from maskjax.masking import update_leaves
from maskjax.models import build_model, head_paths, load_base, swap_layout, torch_name, with_head

torch = pytest.importorskip("torch", reason="needs PyTorch, the oracle of these tests")
transformers = pytest.importorskip("transformers")
transformers.utils.logging.disable_progress_bar()


@pytest.fixture(scope="module")
def minilm_inputs(minilm):
    """Real texts as padded tokens."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    texts = ["A mask keeps or drops a weight.", "Short.", "One base serves many tasks, cheaply."]
    batch = tokenizer(texts, padding=True, return_tensors="np")
    return {name: value.astype(np.int32) for name, value in batch.items()}


@pytest.fixture(scope="module")
def minilm_states(minilm, minilm_inputs):
    """The tokens, and PyTorch's hidden states for them."""
    tokens = {name: torch.tensor(value) for name, value in minilm_inputs.items()}
    oracle = transformers.BertModel.from_pretrained(minilm).eval()
    with torch.no_grad():
        states = oracle(**tokens, output_hidden_states=True).hidden_states
    return minilm_inputs, states


def assert_same_states(base, inputs, expected) -> None:
    """Compares the states of tokens.

    Those of padding, which no token sees, are ill-conditioned in these weights: there PyTorch
    itself is 8e-5 away from float64, and 9e-5 from itself with another attention kernel.
    """
    states = jax.jit(build_model(base.config, 2).hidden_states)(base.params, inputs)
    token = inputs["attention_mask"] == 1
    assert not token.all()
    for ours, theirs in zip(states, expected, strict=True):
        difference = np.abs(np.asarray(ours) - theirs.numpy())[token]
        assert difference.max() <= 1e-5


def test_minilm_states_match_transformers(minilm, minilm_states):
    assert_same_states(load_base(minilm), *minilm_states)


def test_minilm_states_match_as_distilbert(minilm, minilm_states, tmp_path):
    assert_same_states(load_base(write_as_distilbert(minilm, tmp_path)), *minilm_states)


def test_minilm_states_match_as_roberta(minilm, minilm_states, tmp_path):
    inputs, expected = minilm_states
    token = inputs["attention_mask"] == 1
    padded = inputs | {"input_ids": np.where(token, inputs["input_ids"], 1).astype(np.int32)}
    assert_same_states(load_base(write_as_roberta(minilm, tmp_path)), padded, expected)


@pytest.mark.parametrize("kind", ["tokens", "choice"])
def test_minilm_logits_match_with_a_random_head(kind, minilm, minilm_inputs):
    base = load_base(minilm)
    model = build_model(base.config, 3, kind=kind)
    params = with_head(base.params, model, jax.random.key(0))
    torch.manual_seed(0)
    name = {"tokens": "TokenClassification", "choice": "MultipleChoice"}[kind]
    oracle = getattr(transformers, f"BertFor{name}").from_pretrained(minilm, num_labels=3).eval()
    state = oracle.state_dict()
    drawn = {path: state[torch_name(path, "bert")].numpy() for path in head_paths(model)}
    params = update_leaves(params, {p: swap_layout(p, leaf) for p, leaf in drawn.items()})
    tokens = {name: torch.tensor(value) for name, value in minilm_inputs.items()}
    if kind == "choice":
        tokens = {name: value[None] for name, value in tokens.items()}
    with torch.no_grad():
        theirs = oracle(**tokens).logits.numpy()
    ours = np.asarray(jax.jit(model.apply)(params, minilm_inputs))
    seen = minilm_inputs["attention_mask"] == 1 if kind == "tokens" else ...
    assert ours.shape == theirs.shape
    assert ours[seen].std() > 1e-3
    assert np.abs(ours - theirs)[seen].max() <= 1e-5
