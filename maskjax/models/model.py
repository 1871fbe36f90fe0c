"""The interface of the models: pure functions over nested dicts of arrays.

Other packages do not see Flax: for them a model is its `apply`, and parameters are a nested dict
whose paths, such as `encoder/layer/0/attention/self/query/kernel`, are the same for all families.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.masking.paths import fold_in_path
from maskjax.models.config import EncoderConfig, TaskType
from maskjax.models.encoder import Inputs
from maskjax.models.heads import mean_of_tokens, of_each_token, pool
from maskjax.models.layers import site_key
from maskjax.models.registry import architecture_of

Params = dict[str, Any]
"""A nested dict of arrays with string keys."""

ENCODER_PARTS = ("embeddings", "embeddings_project", "encoder")
"""The top-level parts that come with every checkpoint."""


RATES: dict[TaskType, str] = {
    "classification": "head_dropout",
    "regression": "head_dropout",
    "tokens": "token_dropout",
    "choice": "choice_dropout",
}
"""The field of `EncoderConfig` with the dropout rate of the head."""


class Apply(Protocol):
    """The type of `Model.apply`."""

    def __call__(
        self, params: Mapping[str, Any], inputs: Inputs, *, key: jax.Array | None = None
    ) -> jax.Array:
        """Maps parameters and a batch to logits, float32, of the shape in `Model`."""
        ...


class Model(NamedTuple):
    """An encoder with a head, without its weights.

    Attributes:
        config: The shape of the encoder.
        num_outputs: Number of classes or choices, or 1 for regression.
        kind: The kind of the task.
        abstract: The shape and dtype, float32, of every parameter.
        apply: `apply(params, inputs, *, key=None)` gives the logits, float32, [batch, num_outputs],
            and for tokens [batch, seq, num_outputs]. For choices the inputs are
            [batch * num_outputs, seq], those of a row adjacent. It is pure, and applies dropout
            only with a key.
        hidden_states: `hidden_states(params, inputs)` gives the output of the embeddings and of
            each block, `num_layers + 1` arrays [batch, seq, hidden]. It needs no head parameters.
    """

    config: EncoderConfig
    num_outputs: int
    kind: TaskType
    abstract: Params
    apply: Apply
    hidden_states: Callable[[Mapping[str, Any], Inputs], tuple[jax.Array, ...]]


def build_model(
    config: EncoderConfig,
    num_outputs: int,
    *,
    kind: TaskType = "classification",
    compute_dtype: DTypeLike = jnp.float32,
    remat_blocks: bool = False,
) -> Model:
    """Builds the functions of a model.

    Args:
        config: The shape of the encoder.
        num_outputs: Number of classes or choices, or 1 for regression.
        kind: The kind of the task.
        compute_dtype: Dtype of activations and of kernels at use. Parameters, LayerNorm, softmax
            and logits are float32 in any case.
        remat_blocks: Recompute the activations of each block in the backward pass.

    Returns:
        The model.

    Raises:
        InputError: If `num_outputs` is not positive.

    Example:
        >>> from maskjax.models import read_config
        >>> tiny = {"model_type": "bert", "vocab_size": 9, "hidden_size": 4, "intermediate_size": 8}
        >>> tiny |= {"num_hidden_layers": 1, "num_attention_heads": 2}
        >>> tiny |= {"max_position_embeddings": 16}
        >>> config = read_config(tiny, "example")
        >>> model = build_model(config, num_outputs=3)
        >>> params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), model.abstract)
        >>> ids = jnp.zeros((2, 5), jnp.int32)
        >>> inputs = dict(input_ids=ids, attention_mask=ids + 1, token_type_ids=ids)
        >>> jax.jit(model.apply)(params, inputs).shape
        (2, 3)
    """
    if num_outputs < 1:
        raise InputError(f"num_outputs is {num_outputs}; expected 1 for regression, or more")
    family = architecture_of(config)
    encoder_def, encoder_leaves = _split(
        lambda: family.encoder(config, compute_dtype, remat_blocks)
    )
    # A choice is scored by itself; the scores of a row's choices are its logits.
    width = 1 if kind == "choice" else num_outputs
    rate = getattr(config, RATES[kind])
    head_def, head_leaves = _split(lambda: family.heads[kind](config, width, rate, compute_dtype))
    abstract = encoder_leaves | head_leaves

    def encode(
        params: Mapping[str, Any], inputs: Inputs, key: jax.Array | None
    ) -> tuple[jax.Array, ...]:
        _check_inputs(inputs, config)
        return nnx.merge(encoder_def, _part(params, encoder_leaves))(inputs, key)

    def apply(
        params: Mapping[str, Any], inputs: Inputs, *, key: jax.Array | None = None
    ) -> jax.Array:
        _check_params(params, abstract)
        hidden = encode(params, inputs, site_key(key, 0))[-1]
        head, head_key = nnx.merge(head_def, _part(params, head_leaves)), site_key(key, 1)
        if kind == "tokens":
            return of_each_token(head, hidden, head_key)
        if config.pooling == "late":
            of_tokens = of_each_token(head, hidden, head_key)
            logits = mean_of_tokens(of_tokens, inputs["attention_mask"])
        else:
            rows = pool(hidden, inputs["attention_mask"], config.pooling)
            logits = head(rows, head_key)
        return logits.reshape(-1, num_outputs)

    def hidden_states(params: Mapping[str, Any], inputs: Inputs) -> tuple[jax.Array, ...]:
        _check_params(_part(params, encoder_leaves), encoder_leaves)
        return encode(params, inputs, None)

    return Model(config, num_outputs, kind, abstract, apply, hidden_states)


def pretrained_part(model: Model) -> Params:
    """Selects the leaves that a checkpoint fills: the encoder, and its pooler if it is used."""
    head = _random_part(model)
    return {name: subtree for name, subtree in model.abstract.items() if name not in head}


def head_paths(model: Model) -> tuple[str, ...]:
    """Lists the leaves of the head that no checkpoint fills.

    Args:
        model: The model.

    Returns:
        Their paths, sorted: for BERT `("classifier/bias", "classifier/kernel")`. They include
        RoBERTa's pooler, which multiple choice uses.

    Example:
        >>> from maskjax.models import load_base
        >>> head_paths(build_model(load_base(base).config, num_outputs=2))
        ('classifier/bias', 'classifier/kernel')
    """
    return tuple(flatten_with_paths(_random_part(model)))


def init_head(model: Model, key: jax.Array) -> Params:
    """Initializes the leaves of the head that no checkpoint fills.

    As in transformers, a kernel is normal with standard deviation `head_std`, a bias is zero and
    the scale of a norm one. Each leaf has its own key, which follows from its path.

    Args:
        model: The model.
        key: The seed's key.

    Returns:
        Only these leaves, float32, as a nested dict.
    """
    leaves = {}
    for path, leaf in flatten_with_paths(_random_part(model)).items():
        if path.endswith("/kernel"):
            normal = jax.random.normal(fold_in_path(key, path), leaf.shape, leaf.dtype)
            leaves[path] = model.config.head_std * normal
        elif path.endswith("/scale"):
            leaves[path] = jnp.ones(leaf.shape, leaf.dtype)
        else:
            leaves[path] = jnp.zeros(leaf.shape, leaf.dtype)
    return update_leaves(_random_part(model), leaves)


def with_head(pretrained: Params, model: Model, key: jax.Array) -> Params:
    """Combines pretrained parameters with a new head.

    Args:
        pretrained: The parameters of a base. Parts that the model does not use are left out, such
            as BERT's pooler under a head for tokens.
        model: The model.
        key: The seed's key, for `init_head`.

    Returns:
        The parameters of `model.apply`. The arrays of the base are shared, not copied.

    Example:
        >>> from maskjax.models import load_base
        >>> pretrained = load_base(base)
        >>> model = build_model(pretrained.config, num_outputs=3)
        >>> params = with_head(pretrained.params, model, jax.random.key(0))
        >>> params["classifier"]["kernel"].shape
        (16, 3)
    """
    return _part(pretrained, pretrained_part(model)) | init_head(model, key)


def _random_part(model: Model) -> Params:
    loaded = (*ENCODER_PARTS, "pooler") if model.config.has_pooler else ENCODER_PARTS
    return {name: subtree for name, subtree in model.abstract.items() if name not in loaded}


def _split(make: Callable[[], nnx.Module]) -> tuple[nnx.GraphDef, Params]:
    graphdef, state = nnx.split(nnx.eval_shape(make), nnx.Param)  # raises on any other state
    return graphdef, nnx.to_pure_dict(state)


def _part(params: Mapping[str, Any], leaves: Params) -> Params:
    return {name: params[name] for name in leaves if name in params}


# The checks below read shapes only, so under jit they run during tracing and not at each step.


def _check_params(params: Mapping[str, Any], abstract: Params) -> None:
    expected, actual = flatten_with_paths(abstract), flatten_with_paths(params)
    problems = [f"{path} is missing" for path in expected.keys() - actual.keys()]
    problems += [f"{path} is unknown" for path in actual.keys() - expected.keys()]
    problems += [
        f"{path} has shape {actual[path].shape}, expected {expected[path].shape}"
        for path in expected.keys() & actual.keys()
        if actual[path].shape != expected[path].shape
    ]
    if problems:
        raise InputError(
            f"parameters do not fit the model: {'; '.join(sorted(problems))} "
            "(a model takes with_head(base.params, model, key))"
        )


def _check_inputs(inputs: Inputs, config: EncoderConfig) -> None:
    """Rejects sequences longer than any that the encoder was trained on."""
    seq = inputs["input_ids"].shape[1]
    if seq > config.max_positions:
        raise InputError(
            f"a sequence of {seq} tokens is longer than the {config.max_positions} positions of "
            "the model; shorten max_length"
        )
