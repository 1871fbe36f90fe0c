"""Selection of leaves by an ordered list of rules on paths; the first full match decides."""

import difflib
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Choice = TypeVar("Choice")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule that selects or excludes all leaves whose whole path matches a pattern.

    Attributes:
        pattern: A regular expression that must match the whole path, or the exact path of a leaf.
        select: True selects the leaves, False excludes them.
        untie: Whether selected leaves may be the same array as other leaves. Each path then gets
            what is its own, such as a mask; else such leaves are an error.

    Example:
        >>> Rule(pattern=r".*/query/kernel", select=False)
        Rule(pattern='.*/query/kernel', select=False, untie=False)
    """

    pattern: str
    select: bool = True
    untie: bool = False


Predicate = Callable[[str], bool]
Where = str | Rule | Iterable[str | Rule] | Predicate
"""What selects leaves: a pattern or an exact path, a rule, several of them, or a function."""
Rules = tuple[Rule, ...] | Predicate


def make_rules(where: Where) -> Rules:
    """Normalizes a selection of leaves.

    Example:
        >>> make_rules(".*/kernel")
        (Rule(pattern='.*/kernel', select=True, untie=False),)
    """
    if callable(where):
        return where
    if isinstance(where, (str, Rule)):
        return (_rule(where),)
    items: Any = where
    if isinstance(items, Mapping | bytes) or not isinstance(items, Iterable):
        raise ValueError(_no_rule(items))
    return tuple(_rule(item) for item in items)


def select_paths(paths: Sequence[str], where: Where) -> tuple[str, ...]:
    """Applies rules to paths: the first rule that matches a path decides; no match excludes it.

    Example:
        >>> paths = ["0/query/kernel", "0/key/kernel", "0/key/bias"]
        >>> select_paths(paths, [Rule(pattern=".*/query/.*", select=False), ".*/kernel"])
        ('0/key/kernel',)
        >>> select_paths(paths, lambda path: path.endswith("bias"))
        ('0/key/bias',)
    """
    rules = make_rules(where)
    if not callable(rules):
        _check_all_used(paths, rules)
    selected = matching_paths(paths, rules)
    if not selected:
        source = "the function" if callable(rules) else [rule.pattern for rule in rules]
        raise ValueError(
            f"Expected rules that select something, got nothing from {source}; the paths are "
            f"{', '.join(paths[:3])}, ..."
        )
    return selected


def matching_paths(paths: Sequence[str], rules: Rules) -> tuple[str, ...]:
    """The paths that rules select, possibly none."""
    if callable(rules):
        return tuple(path for path in paths if rules(path))
    deciding = _deciding(paths, rules)
    return tuple(p for p, index in deciding.items() if index is not None and rules[index].select)


def untied_paths(paths: Sequence[str], rules: Rules) -> frozenset[str]:
    """The paths that are decided by rules with `untie`."""
    if callable(rules) or not any(rule.untie for rule in rules):
        return frozenset()
    deciding = _deciding(paths, rules)
    return frozenset(p for p, index in deciding.items() if index is not None and rules[index].untie)


def choose(path: str, choices: Mapping[str, Choice]) -> Choice:
    """The choice for a leaf: that of the first pattern that matches its whole path.

    Example:
        >>> choose("head/kernel", {"head/.*": "uniform", ".*": "magnitude"})
        'uniform'
    """
    index = _first_match(path, [_compile(pattern, (path,)) for pattern in choices])
    if index is None:
        raise ValueError(f"{path}: expected a pattern that matches it, got {list(choices)}.")
    return list(choices.values())[index]


def escape_paths(patterns: Mapping[str, Choice], paths: Container[str]) -> dict[str, Choice]:
    """Escapes the keys that are paths, so that each matches that path only."""
    return {re.escape(key) if key in paths else key: value for key, value in patterns.items()}


def _rule(item: Any) -> Rule:
    rule = item if isinstance(item, Rule) else Rule(pattern=item)
    pattern: Any = rule.pattern
    if not isinstance(pattern, str):
        raise ValueError(_no_rule(pattern))
    return rule


def _no_rule(actual: Any) -> str:
    return (
        "Expected where to be a pattern such as '.*/kernel', a Rule, a list of these, or a "
        f"function of a path, got {type(actual).__name__} {actual!r}."
    )


def _deciding(paths: Sequence[str], rules: tuple[Rule, ...]) -> dict[str, int | None]:
    """The number of the rule that decides each path."""
    path_set = frozenset(paths)
    patterns = [_compile(rule.pattern, path_set) for rule in rules]
    return {path: _first_match(path, patterns) for path in paths}


def _check_all_used(paths: Sequence[str], rules: tuple[Rule, ...]) -> None:
    deciding = set(_deciding(paths, rules).values())
    for index, rule in enumerate(rules):
        if index not in deciding:
            raise ValueError(_unused(rule.pattern, paths))


def _compile(pattern: str, paths: Container[str]) -> re.Pattern[str]:
    try:
        return re.compile(re.escape(pattern) if pattern in paths else pattern)
    except re.error as error:
        raise ValueError(f"Rule {pattern!r} is not a regular expression: {error}.") from error


def _first_match(path: str, patterns: Sequence[re.Pattern[str]]) -> int | None:
    hits = (index for index, pattern in enumerate(patterns) if pattern.fullmatch(path))
    return next(hits, None)


def _unused(rule: str, paths: Sequence[str]) -> str:
    pattern = _compile(rule, frozenset(paths))
    if any(pattern.fullmatch(path) for path in paths):
        return f"Rule {rule!r} decides nothing: earlier rules match all of its paths."
    similar = difflib.get_close_matches(rule, paths, n=3, cutoff=0.3) or list(paths[:3])
    return f"Rule {rule!r} matches no path of the {len(paths)}; near names: {', '.join(similar)}."
