"""Which leaves are masked: an ordered list of rules on paths, first full match wins."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Choice = TypeVar("Choice")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Says of all leaves whose whole path matches a pattern whether they are selected.

    Attributes:
        pattern: A regular expression; it must match the whole path.
        select: True selects the leaves, False leaves them out.

    Example:
        >>> Rule(pattern=r".*/query/kernel", select=False)
        Rule(pattern='.*/query/kernel', select=False)
    """

    pattern: str
    select: bool = True


def select_paths(paths: Sequence[str], rules: Sequence[Rule | str]) -> tuple[str, ...]:
    """Applies rules to paths: the first rule that matches a path decides, no match leaves it out.

    Args:
        paths: Paths of leaves, as `leaves_by_path` gives them.
        rules: Rules in order; a string stands for a rule that selects.

    Returns:
        The selected paths, in the order of `paths`.

    Raises:
        ValueError: If a rule decides no path at all (a typo, or a rule hidden by an earlier
            one), if a pattern is not a regular expression, or if nothing is selected.

    Example:
        >>> paths = ["0/query/kernel", "0/key/kernel", "0/key/bias"]
        >>> select_paths(paths, [Rule(pattern=".*/query/.*", select=False), ".*/kernel"])
        ('0/key/kernel',)
    """
    ordered = [Rule(pattern=rule) if isinstance(rule, str) else rule for rule in rules]
    patterns = [_compile(rule.pattern) for rule in ordered]
    deciding = {path: _first_match(path, patterns) for path in paths}
    used = set(deciding.values())
    for index, rule in enumerate(ordered):
        if index not in used:
            raise ValueError(_unused(rule.pattern, patterns[index], paths))
    selected = tuple(
        path for path, index in deciding.items() if index is not None and ordered[index].select
    )
    if not selected:
        raise ValueError(f"Expected rules that select something, got nothing from {list(rules)}.")
    return selected


def choose(path: str, choices: Mapping[str, Choice]) -> Choice:
    """The choice for a leaf: that of the first pattern that matches its whole path.

    Args:
        path: The path of the leaf.
        choices: `{pattern: choice}` in order.

    Returns:
        The choice.

    Raises:
        ValueError: If no pattern matches, or one is not a regular expression.

    Example:
        >>> choose("head/kernel", {"head/.*": "uniform", ".*": "magnitude"})
        'uniform'
    """
    index = _first_match(path, [_compile(pattern) for pattern in choices])
    if index is None:
        raise ValueError(f"{path}: expected a pattern that matches it, got {list(choices)}.")
    return list(choices.values())[index]


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"Rule {pattern!r} is not a regular expression: {error}.") from error


def _first_match(path: str, patterns: Sequence[re.Pattern[str]]) -> int | None:
    hits = (index for index, pattern in enumerate(patterns) if pattern.fullmatch(path))
    return next(hits, None)


def _unused(rule: str, pattern: re.Pattern[str], paths: Sequence[str]) -> str:
    if any(pattern.fullmatch(path) for path in paths):
        return f"Rule {rule!r} decides nothing: earlier rules match all of its paths."
    near = difflib.get_close_matches(rule, paths, n=3, cutoff=0.3) or list(paths[:3])
    return f"Rule {rule!r} matches no path of the {len(paths)}; near names: {', '.join(near)}."
