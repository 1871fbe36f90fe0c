"""Each block of code in the documents is executed, checked or excused; links lead somewhere."""

import re
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parents[2]
EXECUTED = ("bash", "python")
COMMAND = re.compile(
    r"^\s*(?:\w+\$ )?(?:maskjax|make|pip|curl|git|gcloud|python3?|tpu/\S+\.sh) .*", re.MULTILINE
)


def excuse_of(block, excuses):
    """The key of the block's excuse, or None."""
    keys = (key for key in excuses if key[0] == block.document)
    return next((key for key in keys if block.first.startswith(key[1])), None)


def test_every_block_is_executed_recorded_or_excused(blocks, records, excuses):
    for block in blocks:
        if block.language in EXECUTED or excuse_of(block, excuses):
            continue
        if block.language == "indented" and block.document in records:
            continue
        assert block.language in ("text", "yaml", "json", "indented"), (
            f"{block.place}: language {block.language!r}; use bash or python for code that runs, "
            "or console and a reason in EXCUSES"
        )
        command = COMMAND.search(block.text)
        assert not command, f"{block.place}: {command[0]!r} is not executed; use ```bash"


def test_no_excuse_is_stale(blocks, excuses):
    used = {excuse_of(block, excuses) for block in blocks}
    assert excuses.keys() <= used
    assert all(block.language != "bash" for block in blocks if excuse_of(block, excuses))


def test_python_blocks_compile(blocks):
    for block in blocks:
        if block.language == "python" and not block.text.startswith("!"):
            compile(block.text, block.place, "exec")


def test_transform_example_drops_the_useless_weights(blocks, capsys):
    (code,) = (b.text for b in blocks if b.document == "README.md" and "threshold_mask" in b.text)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec(compile(code, "README.md", "exec"), {})
    kept = capsys.readouterr().out.split("[")[-1]
    assert re.findall("True|False", kept)[4:] == ["False"] * 4


def anchors(text):
    """The anchors that a code host makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_within_the_project_leads_somewhere(documents):
    for name, text in documents.items():
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
            path, _, anchor = link.partition("#")
            target = (ROOT / name).parent / path if path else ROOT / name
            assert target.exists(), f"{name}: {link}"
            if anchor:
                assert anchor in anchors(target.read_text(encoding="utf8")), f"{name}: {link}"


@pytest.mark.parametrize("option", ["label", "labels", "kind", "holdout"])
def test_the_options_of_own_data_are_described(option, documents):
    assert f"`--task.{option}`" in documents["README.md"]
    assert f"`--task.{option}`" in documents["docs/your-data.md"]


def test_every_packaged_configuration_is_in_the_readme(documents):
    for path in (ROOT / "configs").glob("*.py"):
        assert f"--config {path.stem}" in documents["README.md"]
