"""Every family at the shape of its base model against transformers in PyTorch.

    python -m benchmarks.families                            # all families, minutes
    python -m benchmarks.families --family modernbert --part parity --tokens 2048
    python -m benchmarks.families --part time --rounds 3
    python -m benchmarks.families --part parity --write      # for `maskjax models`

Weights are random, drawn as transformers draws them, but for biases and norms, which are random
too; the vocabulary is cut to 1,000. `parity` is the largest difference of any hidden state and of
any logit in float32, how far both sides are from PyTorch's float64, and the mean difference of the
last hidden state in bfloat16 as a multiple of what PyTorch's own bfloat16 differs from its float32.
`time` is the CPU time of a forward and backward pass per floating-point operation of its products
(2 m n k each), ours and PyTorch's, each in a process of its own with one thread, in turns, as a
multiple of BERT's.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import torch
import transformers
import tyro
from rich.console import Console

from benchmarks.harness import OTHER_KEYS
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.models import ARCHITECTURES, Model, build_model, load_base, swap_layout, torch_name
from maskjax.models.hf_names import fused_paths
from maskjax.models.tried import read_tried, write_tried

BASE: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 514,
}
GLU = BASE | {"intermediate_size": 1152, "max_position_embeddings": 2048}
SHAPES: dict[str, dict[str, Any]] = {
    "bert": BASE,
    "roberta": BASE | {"type_vocab_size": 1, "pad_token_id": 1},
    "distilbert": {"max_position_embeddings": 512},
    "electra": BASE | {"embedding_size": 768},
    "mpnet": BASE,
    "albert": BASE | {"embedding_size": 128, "hidden_act": "gelu_new"},
    "deberta-v2": BASE
    | OTHER_KEYS["deberta-v2"]
    | {"max_position_embeddings": 512, "type_vocab_size": 0},
    "modernbert": GLU
    | {"num_hidden_layers": 22, "pad_token_id": 1, "cls_token_id": 2, "sep_token_id": 3},
    "eurobert": BASE | {"num_key_value_heads": 12, "pad_token_id": 1},
    "gemma3_text": GLU
    | {
        "num_hidden_layers": 24,
        "num_attention_heads": 3,
        "num_key_value_heads": 1,
        "sliding_window": 512,
        "use_bidirectional_attention": True,
    },
}
"""Arguments of the configuration in transformers: those of the published base model."""
transformers.utils.logging.disable_progress_bar()
VOCABULARY = 1000
ROWS = 2
Side = Literal["ours", "torch"]


def main(
    *,
    family: tuple[str, ...] = tuple(SHAPES),
    part: Literal["parity", "time", "all"] = "all",
    tokens: int = 512,
    rounds: int = 3,
    out: Path | None = None,
    write: bool = False,
) -> None:
    """Prints a line for each family.

    Args:
        family: Families to measure.
        part: What to measure.
        tokens: The length of the rows whose parity is measured.
        rounds: Timed processes of each side.
        out: A JSON file for the numbers.
        write: Also keep the parity for `maskjax models`.
    """
    found: dict[str, dict[str, float]] = {name: {} for name in family}
    for name in family:
        if part != "time":
            found[name] |= parity(name, tokens)
            _print(name, found[name])
    if part != "parity":
        for name, ratios in cost(family, rounds).items():
            found[name] |= ratios
            _print(name, ratios)
    if out:
        out.write_text(json.dumps(found, indent=2))
    if write and part != "time":
        tried = read_tried()
        kept = {name: {key: found[name][key] for key in ("hidden", "logits")} for name in family}
        write_tried(tried._replace(parity=tried.parity | kept))


def parity(family: str, tokens: int) -> dict[str, float]:
    """The differences of a family from transformers, with padding in one of two rows."""
    oracle, model, params = make_pair(family)
    inputs = make_inputs(model, tokens)
    states, logits = _torch_outputs(oracle, inputs)
    seen = inputs["attention_mask"] > 0
    ours = _our_outputs(model, params, inputs)
    exact, _ = _torch_outputs(oracle.double(), inputs)
    exact_from = {
        f"{name} from float64": _largest(found, exact, seen)
        for name, found in (("ours", ours[0]), ("PyTorch", states))
    }
    narrow = build_model(model.config, 3, compute_dtype=jnp.bfloat16)
    (*_, our_last), _ = _our_outputs(narrow, params, inputs)
    (*_, torch_last), _ = _torch_outputs(oracle.to(torch.bfloat16), inputs)
    apart = [float(np.abs(last - states[-1])[seen].mean()) for last in (our_last, torch_last)]
    return {
        "largest hidden state": float(max(np.abs(state[seen]).max() for state in states)),
        "hidden": _largest(ours[0], states, seen),
        **exact_from,
        "logits": float(np.abs(ours[1] - logits).max()),
        "bfloat16, as a multiple of PyTorch's": apart[0] / apart[1],
    }


def _largest(ours: list[np.ndarray], theirs: list[np.ndarray], seen: np.ndarray) -> float:
    """The largest difference at a token, of any hidden state."""
    return max(float(np.abs(a - b)[seen].max()) for a, b in zip(ours, theirs, strict=True))


def make_pair(family: str) -> tuple[Any, Model, Any]:
    """A classifier of transformers, and the same one here with its parameters."""
    architecture = ARCHITECTURES[family]
    oracle_class = getattr(transformers, f"{architecture.torch_name}ForSequenceClassification")
    shape = {"vocab_size": VOCABULARY, "num_labels": 3, "attn_implementation": "eager"}
    shape |= {"bos_token_id": 2, "eos_token_id": 3} | SHAPES[family]
    torch.manual_seed(0)
    oracle = oracle_class(oracle_class.config_class(**shape)).eval()
    with torch.no_grad():
        for parameter in oracle.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.02 * torch.randn_like(parameter))
    with tempfile.TemporaryDirectory() as folder:
        oracle.save_pretrained(folder)
        config = load_base(folder).config
    model = build_model(config, 3)
    return oracle, model, params_of(model, oracle, family)


def params_of(model: Model, oracle: Any, family: str) -> Any:
    """The parameters of a classifier of transformers, by name."""
    prefix = f"{oracle.base_model_prefix}."
    state = {name.removeprefix(prefix): value for name, value in oracle.state_dict().items()}
    leaves = {}
    for path in flatten_with_paths(model.abstract):
        parts = fused_paths(path, family)
        tensor = state[torch_name(path, family)].chunk(len(parts))[parts.index(path)]
        leaves[path] = jnp.asarray(swap_layout(path, tensor.numpy()))
    return update_leaves(model.abstract, leaves)


def make_inputs(model: Model, tokens: int) -> dict[str, Any]:
    """Two rows; the second ends with padding."""
    random, pad = np.random.default_rng(0), model.config.pad_token_id
    mask = np.ones((ROWS, tokens), np.int32)
    mask[1, tokens * 3 // 4 :] = 0
    ids = random.integers(5, VOCABULARY, (ROWS, tokens))
    return {
        "input_ids": np.where(mask > 0, ids, pad).astype(np.int32),
        "attention_mask": mask,
        "token_type_ids": np.zeros((ROWS, tokens), np.int32),
    }


def _tensors(inputs: dict[str, Any]) -> dict[str, torch.Tensor]:
    names = ("input_ids", "attention_mask")
    return {name: torch.tensor(inputs[name].astype(np.int64)) for name in names}


def _torch_outputs(oracle: Any, inputs: dict[str, Any]) -> tuple[list[np.ndarray], np.ndarray]:
    with torch.no_grad():
        found = oracle(**_tensors(inputs), output_hidden_states=True)
    states = [state.to(torch.float64).numpy() for state in found.hidden_states]
    return states, found.logits.to(torch.float64).numpy()


def _our_outputs(
    model: Model, params: Any, inputs: dict[str, Any]
) -> tuple[list[np.ndarray], np.ndarray]:
    run = jax.jit(lambda params: (model.hidden_states(params, inputs), model.apply(params, inputs)))
    states, logits = run(params)
    return [np.asarray(state, np.float64) for state in states], np.asarray(logits, np.float64)


def cost(families: tuple[str, ...], rounds: int) -> dict[str, dict[str, float]]:
    """The CPU time per operation of each side, as a multiple of BERT's."""
    sides: tuple[Side, ...] = ("ours", "torch")
    names = tuple(dict.fromkeys(("bert", *families)))
    seconds: dict[tuple[str, Side], list[float]] = {}
    for _ in range(rounds):
        for name in names:
            for side in sides:
                seconds.setdefault((name, side), []).append(_in_a_process(name, side))
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    return {
        name: {
            f"CPU time per operation, {side}": medians[name, side] / medians["bert", side]
            for side in sides
        }
        for name in families
    }


def _in_a_process(family: str, side: Side) -> float:
    code = f"from benchmarks.families import seconds; print(seconds({family!r}, {side!r}))"
    threads = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | threads,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split()[-1])


def seconds(family: str, side: Side) -> float:
    """CPU seconds of a forward and backward pass per operation of its products."""
    oracle, model, params = make_pair(family)
    inputs = make_inputs(model, 512)

    def loss(params: Any) -> jax.Array:
        return jnp.square(model.apply(params, inputs)).sum()

    gradient = jax.grad(loss)
    operations = count_operations(jax.make_jaxpr(gradient)(params).jaxpr)
    if side == "ours":
        compiled = jax.jit(gradient)
        return _cpu_seconds(lambda: jax.block_until_ready(compiled(params))) / operations
    tensors = _tensors(inputs)

    def backward() -> None:
        oracle.zero_grad()
        oracle(**tensors).logits.square().sum().backward()

    return _cpu_seconds(backward) / operations


def _cpu_seconds(call: Callable[[], Any]) -> float:
    call()
    spent = []
    for _ in range(3):
        begun = time.process_time()
        call()
        spent.append(time.process_time() - begun)
    return statistics.median(spent)


def count_operations(jaxpr: Any) -> int:
    """2 m n k over all products of a program.

    Example:
        >>> count_operations(jax.make_jaxpr(jnp.dot)(jnp.ones((2, 3)), jnp.ones((3, 5))).jaxpr)
        60
    """
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (axes, _), _ = equation.params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            contracted = int(np.prod([shape[axis] for axis in axes]))
            total += 2 * contracted * int(np.prod(equation.outvars[0].aval.shape))
        for inner in jax.tree.leaves(tuple(equation.params.values())):
            if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                total += count_operations(getattr(inner, "jaxpr", inner))
    return total


def _print(name: str, found: dict[str, float]) -> None:
    figures = ", ".join(f"{key} {value:.2g}" for key, value in found.items())
    Console().print(f"{name}: {figures}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    tyro.cli(main)
