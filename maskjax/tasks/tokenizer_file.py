"""tokenizer.json, read without transformers where that gives what transformers makes of it.

It does where all of this holds; anything else is left to transformers:

- the class that AutoTokenizer chooses is one of `LAYOUTS`;
- tokenizer_config.json has no keys but those of `OPTIONS`, and names of special tokens;
- each special token that a file or the class names is an added token of tokenizer.json;
- the class would build the parts that tokenizer.json has.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, models

from maskjax.tasks.tokenizer_class import Tokenizer
from maskjax.tasks.tokenizer_layouts import GENERIC, LAYOUTS, REGISTERED, Layout, Parts, Source

TOKENIZER_JSON = "tokenizer.json"
SPECIAL_TOKENS = tuple(
    f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
)
MORE_TOKENS = ("additional_special_tokens", "extra_special_tokens")
SWITCHES = (
    *("do_lower_case", "strip_accents", "tokenize_chinese_chars", "add_prefix_space"),
    *("trim_offsets", "keep_accents", "split_by_punct"),
)
"""Options that the parts of some class depend on; true or false."""
UNUSED = (
    *("add_bos_token", "add_eos_token"),  # ignored where there is a tokenizer.json
    *("chat_template", "clean_up_tokenization_spaces", "do_basic_tokenize", "errors", "backend"),
    *("is_local", "local_files_only", "max_length", "max_len", "model_max_length", "never_split"),
    *("name_or_path", "pad_to_multiple_of", "pad_token_type_id", "padding_side", "remove_space"),
    *("sp_model_kwargs", "spaces_between_special_tokens", "special_tokens_map_file", "stride"),
    *("tokenizer_file", "truncation_strategy", "use_default_system_prompt", "vocab_type"),
)
"""Options that change neither the tokens of a text nor where it is cut."""
OPTIONS = {
    *(*SPECIAL_TOKENS, *MORE_TOKENS, *SWITCHES, *UNUSED, "added_tokens_decoder"),
    *("model_input_names", "tokenizer_class", "truncation_side", "unk_id"),
}
"""The keys of tokenizer_config.json whose effect is known, besides names of more tokens."""


class _UncertainError(ValueError):
    """Only transformers knows what it makes of the files."""


def read_tokenizer(folder: Path, *, words: bool = False) -> Tokenizer | None:
    """Reads tokenizer.json if it suffices.

    Args:
        folder: A folder in the layout of Hugging Face.
        words: Whether texts are lists of words, each of which is read as if a space stood before.

    Returns:
        The tokenizer, equal to that of transformers; None if only transformers knows, whose error
        also names the defect of a broken file.
    """
    try:
        layout, source = _source(folder)
        _check(layout, source)
        rust = _read(folder, layout, source)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # files of any other form
    options = {"add_prefix_space": layout.add_prefix_space, **source.options}
    if words and not options["add_prefix_space"]:
        options["add_prefix_space"] = True
        _replace(rust, layout, source._replace(options=options))
    side = (source.values.get("truncation") or {}).get("direction", "right").lower()
    return Tokenizer(
        rust,
        list(options.get("model_input_names", layout.inputs)),
        options.get("truncation_side", side),
        options["add_prefix_space"],
    )


def exact_unigram(values: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """Builds a Unigram tokenizer with the very scores of tokenizer.json.

    The JSON reader in Rust rounds one of seven scores to a neighbor, which decides between pieces
    that are equally likely.
    """
    rust = _without_vocabulary(values)
    model = values["model"]
    rust.model = models.Unigram(
        [(token, score) for token, score in model["vocab"]],
        model.get("unk_id"),
        model.get("byte_fallback", False),
    )
    rust.add_tokens([_added_token(token) for token in values["added_tokens"]])
    return rust


def _source(folder: Path) -> tuple[Layout, Source]:
    values = _read_json(folder / TOKENIZER_JSON)
    options = _read_json(folder / "tokenizer_config.json", missing={})
    _require(all(_is_known(*item) for item in options.items()))
    _require({"model", "added_tokens"} <= values.keys())
    layout = LAYOUTS[_class_name(_read_json(folder / "config.json"), options)]
    ids = {token["content"]: token["id"] for token in values["added_tokens"]}
    names, extra = dict(layout.names), []
    for file in _files_of_names(folder, options):
        named = {key: value for key, value in file.items() if _names_token(key, value)}
        _require(all(named[key] is not None for key in named.keys() & layout.names.keys()))
        names |= {key: _content(value) for key, value in named.items() if value is not None}
        extra += [_content(token) for key in MORE_TOKENS for token in _listed(file.get(key) or [])]
    special = {*names.values(), *(extra or layout.extra)}
    _require(special <= ids.keys())
    _check_added(folder, options, values["added_tokens"], special)
    return layout, Source(options, names, ids, values)


def _read_json(path: Path, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    if missing is not None and not path.exists():
        return missing
    values = json.loads(path.read_bytes())
    _require(isinstance(values, dict))
    return values


def _require(is_certain: bool) -> None:
    if not is_certain:
        raise _UncertainError


def _is_known(key: str, value: Any) -> bool:
    if key in SWITCHES:
        return isinstance(value, bool) or (key == "strip_accents" and value is None)
    if key == "truncation_side":
        return value in ("left", "right")
    if key == "model_input_names":
        return isinstance(value, list) and all(isinstance(name, str) for name in value)
    if key == "split_special_tokens":
        return value is False
    if key == "unk_id":
        return isinstance(value, int)
    return key in OPTIONS or _names_token(key, value)


def _class_name(config: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """The class that AutoTokenizer chooses."""
    kind = config["model_type"]
    _require(kind in REGISTERED and "model_name" not in config)  # which decides as well
    if kind == "modernbert":  # whatever class its files name
        return GENERIC
    name = options.get("tokenizer_class") or config.get("tokenizer_class") or REGISTERED[kind]
    name = name.removesuffix("Fast")
    return {"PreTrainedTokenizer": GENERIC, "ElectraTokenizer": "BertTokenizer"}.get(name, name)


def _files_of_names(folder: Path, options: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield options
    if "added_tokens_decoder" not in options:  # else transformers does not read the older file
        yield _read_json(folder / "special_tokens_map.json", missing={})


def _names_token(key: str, value: Any) -> bool:
    """Whether a key names one token, as those of images in Gemma do too."""
    return key.endswith("_token") and key not in UNUSED and isinstance(value, str | dict | None)


def _content(token: Any) -> str:
    content = token["content"] if isinstance(token, dict) else token
    if not isinstance(content, str):
        raise _UncertainError
    return content


def _listed(tokens: Any) -> list[Any]:
    _require(isinstance(tokens, list | dict))
    return list(tokens.values()) if isinstance(tokens, dict) else tokens


def _check_added(
    folder: Path, options: Mapping[str, Any], added: list[dict[str, Any]], special: set[str]
) -> None:
    """Requires that other files have no other added tokens, and that special ones say so."""
    numbers = [token["id"] for token in added]
    _require(numbers == sorted(set(numbers)))
    _require(all(token["special"] for token in added if token["content"] in special))
    own = {token["id"]: _added_token(token) for token in added}
    if "added_tokens_decoder" in options:
        others = {int(i): _added_token(t) for i, t in options["added_tokens_decoder"].items()}
        _require(_states(others) == _states(own))
        return
    older = _read_json(folder / "added_tokens.json", missing={})
    _require(all(number in own and own[number].content == t for t, number in older.items()))


def _added_token(token: Mapping[str, Any]) -> AddedToken:
    flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
    return AddedToken(token["content"], **{flag: token[flag] for flag in flags if flag in token})


def _states(tokens: Mapping[int, AddedToken]) -> dict[int, Any]:
    return {number: token.__getstate__() for number, token in tokens.items()}


def _check(layout: Layout, source: Source) -> None:
    """Requires that the class of the tokenizer builds what tokenizer.json has."""
    rust = _without_vocabulary(source.values)
    _require(rust.post_processor is not None)
    if layout.build is None:
        return
    _require(type(rust.model).__name__ == layout.model)
    built = layout.build(source)
    _require(_settings(built.model) == _settings(source.values["model"]))
    for name in ("normalizer", "pre_tokenizer", "post_processor"):
        part = getattr(built, name)
        if name != "post_processor" or part is not None:
            _require(_state(part) == _state(getattr(rust, name)))


def _without_vocabulary(values: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """The parts of tokenizer.json, fast to read."""
    model = dict(values["model"])
    if isinstance(model.get("vocab"), list):  # Unigram has to have a token
        model |= {"vocab": [["a", 0.0]], "unk_id": 0}
    else:
        model |= {"vocab": {}} | ({"merges": []} if "merges" in model else {})
    return _parse(json.dumps({**values, "model": model, "added_tokens": []}))


def _parse(text: str) -> tokenizers.Tokenizer:
    try:
        return tokenizers.Tokenizer.from_str(text)
    except Exception as error:  # the library raises no narrower class
        raise _UncertainError from error


def _settings(model: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a model besides its tokens; an absent one is off."""
    tokens = ("type", "vocab", "merges")
    kept = {key: value for key, value in model.items() if key not in tokens}
    return {k: v for k, v in kept.items() if not (v is None or v is False or v == "")}


def _state(part: Any) -> Any:
    return None if part is None else json.loads(part.__getstate__())


def _read(folder: Path, layout: Layout, source: Source) -> tokenizers.Tokenizer:
    if layout.model == "Unigram":
        rust = exact_unigram(source.values)
    else:
        rust = _parse((folder / TOKENIZER_JSON).read_text(encoding="utf8"))
    own = {token["id"]: _added_token(token) for token in source.values["added_tokens"]}
    _require(_states(rust.get_added_tokens_decoder()) == _states(own))
    return rust


def _replace(rust: tokenizers.Tokenizer, layout: Layout, source: Source) -> None:
    """Puts in the parts that the class builds from other options."""
    if layout.build is None:
        return
    parts: Parts = layout.build(source)
    rust.pre_tokenizer = parts.pre_tokenizer
    if parts.post_processor is not None:
        rust.post_processor = parts.post_processor
