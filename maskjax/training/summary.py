"""What a run says of itself before the first step."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

from maskjax.config import OptimizerConfig
from maskjax.doctor import versions
from maskjax.masking.distinct import distinct_leaves
from maskjax.models import EncoderConfig
from maskjax.taskfile import mask_bytes
from maskjax.training import distributed
from maskjax.training.experiment import Experiment

ABSURD_RATE = 1e2


def describe(experiment: Experiment, seeds: int = 1) -> list[str]:
    """The first lines of a run: devices, versions, model, rows, and what is learned."""
    base, task = experiment.base, experiment.data.task
    devices = ", ".join(sorted({device.device_kind for device in jax.devices()}))
    rows = ", ".join(f"{name} {len(s.texts):,}" for name, s in experiment.data.splits.items())
    weights = sum(leaf.size for leaf in distinct_leaves(experiment.params))
    lines = [
        f"devices   {len(jax.devices())} x {devices} ({jax.default_backend()}){_describe_hosts()}",
        f"versions  {', '.join(f'{name} {version}' for name, version in versions().items())}",
        f"model     {base.name}: {base.config.family}, {base.config.num_layers} blocks of "
        f"{base.config.hidden_size}{_describe_sharing(base.config)}, {weights:,} weights",
        f"task      {task.name}: {task.kind}, scored by {task.metric}; rows: {rows}; "
        f"{_describe_cuts(experiment)}",
        *(f"note      {note}" for note in experiment.data.notes),
        f"method    {_describe_trainable(experiment)}",
        *(f"note      {note}" for note in _warn_of_short_ways(experiment)),
        *(f"note      {note}" for note in _warn_of_rates(experiment.config.optimizer)),
    ]
    seed = experiment.config.train.seed
    together = f"seeds     {seed} to {seed + seeds - 1}, together over one copy of the model"
    return lines if seeds == 1 else [*lines, together]


def _describe_hosts() -> str:
    return f" of {jax.process_count()} hosts" if distributed.is_multiprocess() else ""


def _describe_sharing(encoder: EncoderConfig) -> str:
    if encoder.sharing == "none":
        return ""
    each = "that share all" if encoder.sharing == "shared" else "with masks of their own over one"
    return f" {each}"


def _describe_cuts(experiment: Experiment) -> str:
    encoded = experiment.encoded.values()
    cut = sum(split.truncated for split in encoded)
    lost = sum(split.unseen_words for split in encoded)
    task = experiment.config.task
    text = f"{cut:,} texts cut to {task.max_length} tokens"
    if task.stride is not None:
        windows = sum(split.windows for split in encoded)
        text = f"{windows:,} windows that share {task.stride} tokens; {text}"
    return f"{text}; {lost:,} words without a token, counted as wrong" if lost else text


def _describe_trainable(experiment: Experiment) -> str:
    method = experiment.config.adaptation.method
    key = jax.random.key(0)
    trainable = jax.eval_shape(experiment.adaptation.init, key, experiment.params)
    masks = jax.eval_shape(experiment.adaptation.finalize, trainable, experiment.params).masks
    masked = sum(mask.size for mask in masks.values())
    trained = sum(leaf.size for leaf in jax.tree.leaves(trainable))
    if method != "mask":
        return f"{method}: {trained:,} trained numbers"
    head = sum(leaf.size for leaf in jax.tree.leaves(trainable.get("head", {})))
    return (
        f"{method}: {masked:,} weights masked in {len(masks)} arrays, {head:,} head weights "
        f"trained; {mask_bytes(masks):,} bytes of mask at one bit per weight"
    )


def _warn_of_rates(optimizer: OptimizerConfig) -> Iterator[str]:
    """Warns of rates that look like a lost minus sign, such as 1e3 for 1e-3."""
    rates = {
        "learning-rate": optimizer.learning_rate,
        "head-learning-rate": optimizer.head_learning_rate or 0.0,
    }
    for name, rate in rates.items():
        if rate >= ABSURD_RATE:
            yield (
                f"--optimizer.{name} {rate:g} is far above any rate that learns; masks take about"
                " 1e-3 to 1e-2, and finetuning 1e-5 to 1e-3"
            )


def _warn_of_short_ways(experiment: Experiment) -> Iterator[str]:
    """Says so if scores that keep every weight cannot get as far as the threshold in all steps.

    A step of Adam moves a score by about the rate, so that the sum of all rates is the way it can
    go. With less than the margin MiniLM did not learn QNLI (docs/results-appendix.md).
    """
    adaptation, optimizer = experiment.config.adaptation, experiment.config.optimizer
    keeps_all = adaptation.method == "mask" and adaptation.initializer in ("proportional", "ones")
    if not keeps_all or optimizer.name == "sgd":
        return
    steps = experiment.total_steps
    way = float(jnp.sum(jnp.asarray(jax.vmap(experiment.schedule)(jnp.arange(steps)))))
    if way < adaptation.margin:
        yield (
            f"a score can move by about {way:.2g} in {steps:,} steps and starts "
            f"{adaptation.margin:g} above the threshold on average, so that few weights can be "
            "dropped; train for longer, or raise --optimizer.learning-rate"
        )
