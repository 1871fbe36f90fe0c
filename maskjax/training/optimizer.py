"""The optimizer: optax parts put together as the configuration says."""

from collections.abc import Hashable
from itertools import pairwise
from typing import Any

import jax
import optax

from maskjax.config import OptimizerConfig

HEAD = "head"
"""The part of the trainable that `OptimizerConfig.head_learning_rate` is for."""
DECAYED = ("weights", HEAD)
"""Parts whose matrices decay. Scores do not: zero is no neutral score, it drops the weight."""
SCORES = "scores"
"""The part that `OptimizerConfig.score_decay` is for."""


def make_schedule(config: OptimizerConfig, peak: float, steps: int) -> optax.Schedule:
    """Learning rate over steps: a linear warm-up to `peak`, then the decay that is asked for.

    Args:
        config: Share of warm-up and shape of the decay.
        peak: The highest rate.
        steps: Steps of the whole run.

    Returns:
        A schedule that has decayed to zero after the last step, and with `restarts` after the last
        one of each cycle, unless it is constant.

    Example:
        >>> schedule = make_schedule(OptimizerConfig(warmup=0.1, schedule="linear"), 1.0, steps=100)
        >>> [round(float(schedule(step)), 2) for step in (0, 10, 55, 100)]
        [0.09, 1.0, 0.5, 0.0]

    References:
        Loshchilov and Hutter, SGDR, 2017, https://arxiv.org/abs/1608.03983 (restarts).
    """
    warmup = round(config.warmup * steps)
    rest = max(steps - warmup, 1)
    decay = {
        "cosine": lambda: optax.cosine_decay_schedule(peak, rest),
        "linear": lambda: optax.linear_schedule(peak, 0.0, rest),
        "constant": lambda: optax.constant_schedule(peak),
        "restarts": lambda: _restarts(config, peak, steps, warmup),
    }[config.schedule]()
    rise = optax.linear_schedule(peak / (warmup + 1), peak, max(warmup, 1))
    return optax.join_schedules([rise, decay], [warmup])


def cycle_ends(config: OptimizerConfig, steps: int) -> tuple[int, ...]:
    """The steps after which a cycle of the schedule `restarts` is over.

    Args:
        config: Schedule, share of warm-up and number of cycles.
        steps: Steps of the whole run.

    Returns:
        The numbers of steps done, ascending, as evenly spaced as they can be; the last one is
        `steps`. Cycles of no step are left out, and other schedules have none.

    Example:
        >>> cycle_ends(OptimizerConfig(schedule="restarts", cycles=3, warmup=0.1), 100)
        (40, 70, 100)
    """
    if config.schedule != "restarts":
        return ()
    warmup = round(config.warmup * steps)
    ends = {warmup + (steps - warmup) * n // config.cycles for n in range(1, config.cycles + 1)}
    return tuple(sorted(ends - {warmup}))


def make_optimizer(config: OptimizerConfig, steps: int) -> optax.GradientTransformation:
    """Builds the optimizer of a run.

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
    if not config.clip:
        return by_part
    return optax.chain(optax.clip_by_global_norm(config.clip), by_part)


def _restarts(config: OptimizerConfig, peak: float, steps: int, warmup: int) -> optax.Schedule:
    """Cosine after cosine; counts from the end of the warm-up."""
    ends = [0, *(end - warmup for end in cycle_ends(config, steps))]
    cycles = [optax.cosine_decay_schedule(peak, end - begin) for begin, end in pairwise(ends)]
    return optax.join_schedules(cycles, ends[1:-1])


def _rule(config: OptimizerConfig, rate: optax.Schedule) -> optax.GradientTransformation:
    """The named optimizer, taken apart so that weight and score decay bypass its moments."""
    direction = {
        "sgd": lambda dtype: optax.trace(0.9, accumulator_dtype=dtype),
        "signsgd": lambda _: optax.scale_by_sign(),
        "adam": lambda dtype: optax.scale_by_adam(mu_dtype=dtype),
        "adamw": lambda dtype: optax.scale_by_adam(mu_dtype=dtype),
    }[config.name](config.moment_dtype)
    decay = config.weight_decay if config.name == "adamw" else 0.0
    return optax.chain(
        direction,
        optax.add_decayed_weights(decay, mask=_decayed) if decay else optax.identity(),
        decay_scores(config.score_decay) if config.score_decay else optax.identity(),
        optax.scale_by_learning_rate(rate),
    )


def decay_scores(strength: float) -> optax.GradientTransformation:
    """Moves every score towards keeping: a step of `strength` times the rate.

    It is to scores what AdamW's decay is to weights. With Σ (1 − M) as penalty, the
    straight-through gradient of every score is −1, and decoupled it does not pass through Adam.
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
        name: jax.tree.map(lambda _, g=HEAD if name == HEAD else "body": g, part)
        for name, part in trainable.items()
    }


def _decayed(trainable: dict[str, Any]) -> dict[str, Any]:
    return {
        name: jax.tree.map(lambda leaf, decays=name in DECAYED: decays and leaf.ndim > 1, part)
        for name, part in trainable.items()
    }
