"""The optimiser: optax parts put together as the configuration says."""

from collections.abc import Hashable
from typing import Any

import jax
import optax

from maskjax.config import OptimizerConfig

HEAD = "head"
"""The part of the trainable that `OptimizerConfig.head_learning_rate` is for."""
DECAYED = ("weights", HEAD)
"""Parts whose matrices decay. Scores do not: zero is no neutral score, it drops the weight."""
SCORES = "scores"
"""The part that `OptimizerConfig.pull` is for."""


def make_schedule(config: OptimizerConfig, peak: float, steps: int) -> optax.Schedule:
    """Learning rate over steps: a linear warm-up to `peak`, then the decay that is asked for.

    Args:
        config: Share of warm-up and shape of the decay.
        peak: The highest rate.
        steps: Steps of the whole run.

    Returns:
        A schedule that has decayed to zero at the last step, unless it is constant.
    """
    warmup = round(config.warmup * steps)
    rest = max(steps - warmup, 1)
    decay = {
        "cosine": lambda: optax.cosine_decay_schedule(peak, rest),
        "linear": lambda: optax.linear_schedule(peak, 0.0, rest),
        "constant": lambda: optax.constant_schedule(peak),
    }[config.schedule]()
    rise = optax.linear_schedule(peak / (warmup + 1), peak, max(warmup, 1))
    return optax.join_schedules([rise, decay], [warmup])


def make_optimizer(config: OptimizerConfig, steps: int) -> optax.GradientTransformation:
    """Builds the optimiser of a run.

    Args:
        config: Kind, rates, schedule, decay and clipping.
        steps: Steps of the whole run.

    Returns:
        A transformation over a trainable that is a dict of parts; the part `head` moves at a
        rate of its own.
    """
    head_rate = config.head_learning_rate or config.learning_rate
    rates = {"body": config.learning_rate, HEAD: head_rate}
    groups: dict[Hashable, optax.GradientTransformation] = {
        name: _rule(config, make_schedule(config, rate, steps)) for name, rate in rates.items()
    }
    by_part = optax.multi_transform(groups, _group_of_each_leaf)
    return optax.chain(optax.clip_by_global_norm(config.clip), by_part) if config.clip else by_part


def _rule(config: OptimizerConfig, rate: optax.Schedule) -> optax.GradientTransformation:
    """The named optimiser, taken apart so that decay and pull bypass its moments."""
    direction = optax.trace(0.9) if config.name == "sgd" else optax.scale_by_adam()
    decay = config.weight_decay if config.name == "adamw" else 0.0
    return optax.chain(
        direction,
        optax.add_decayed_weights(decay, mask=_decayed) if decay else optax.identity(),
        pull_scores(config.pull) if config.pull else optax.identity(),
        optax.scale_by_learning_rate(rate),
    )


def pull_scores(strength: float) -> optax.GradientTransformation:
    """Pulls every score towards keeping: a step of `strength` times the rate.

    It is to scores what AdamW's decay is to weights. With Σ (1 − M) as penalty, the
    straight-through gradient of every score is −1, and decoupled it does not pass through Adam.

    Args:
        strength: As a share of the rate; a step of Adam is at most about one rate.

    Returns:
        A transformation to be followed by the one that scales by the (negative) rate.
    """

    def update(updates: Any, params: Any = None) -> dict[str, Any]:
        del params
        return {
            name: jax.tree.map(lambda u: u - strength, part) if name == SCORES else part
            for name, part in updates.items()
        }

    return optax.stateless(update)


def _group_of_each_leaf(trainable: dict[str, Any]) -> dict[str, Any]:
    return {
        name: jax.tree.map(lambda _, group=HEAD if name == HEAD else "body": group, part)
        for name, part in trainable.items()
    }


def _decayed(trainable: dict[str, Any]) -> dict[str, Any]:
    return {
        name: jax.tree.map(lambda leaf, decays=name in DECAYED: decays and leaf.ndim > 1, part)
        for name, part in trainable.items()
    }
