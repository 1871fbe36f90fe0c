"""Random re-initialization against the initialization of transformers."""

import json
import re
from typing import get_args

import numpy as np
import pytest
import transformers

from maskjax.config.model import Part
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.models import ARCHITECTURES, load_base, reinitialize, swap_layout, torch_name
from maskjax.models.reinit import PARTS

torch = pytest.importorskip("torch")
WITH_POOLER = ("bert", "albert", "modernbert")


@pytest.fixture
def base(family, checkpoint, tmp_path):
    source = checkpoint(family)
    source.config |= {"initializer_range": 0.3, "pad_token_id": 1}
    return load_base(source.write(tmp_path))


def parts_of(family: str) -> list[str]:
    absent = {"convolution"} if family in WITH_POOLER else {"convolution", "pooler"}
    return [part for part in PARTS if part not in absent]


def test_every_leaf_belongs_to_one_part(family, base):
    assert tuple(PARTS) == get_args(Part)
    for path in flatten_with_paths(base.params):
        matches = [part for part in parts_of(family) if re.fullmatch(PARTS[part], path)]
        assert len(matches) == 1, path


def test_weights_are_drawn_as_in_transformers(family, base):
    if family == "modernbert":
        pytest.skip("its own draws are truncated, and narrower in some products")
    name = ARCHITECTURES[family].torch_name
    make_config, make_model = (getattr(transformers, name + end) for end in ("Config", "Model"))
    torch.manual_seed(0)
    values = json.loads((base.folder / "config.json").read_text())
    theirs = make_model(make_config(**values)).state_dict()
    ours = flatten_with_paths(reinitialize(base, parts_of(family)).params)
    drawn = []
    for path, leaf in ours.items():
        other = swap_layout(path, theirs[torch_name(path, family)].numpy())
        assert leaf.shape == other.shape
        assert leaf.dtype == np.float32
        fixed = np.isin(other, (0, 1))
        np.testing.assert_array_equal(np.asarray(leaf)[fixed], other[fixed])
        drawn.append(np.asarray(leaf)[~fixed])
        assert (drawn[-1] != other[~fixed]).all()
    weights = np.concatenate(drawn)
    assert abs(weights.mean()) < 4 * 0.3 / np.sqrt(weights.size)
    assert weights.std() == pytest.approx(0.3, rel=0.05)
    assert np.mean(np.abs(weights) < 0.3) == pytest.approx(0.683, abs=0.03)  # of a normal


@pytest.mark.parametrize("part", PARTS)
def test_only_the_chosen_part_changes(family, base, part):
    if part not in parts_of(family):
        with pytest.raises(InputError, match=f"model.reinit: .* got {part}"):
            reinitialize(base, [part])
        return
    before, after = (flatten_with_paths(b.params) for b in (base, reinitialize(base, [part])))
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert changed == {path for path in before if re.fullmatch(PARTS[part], path)}
    assert all(after[path] is before[path] for path in before.keys() - changed)


def test_leaves_depend_on_the_seed_and_not_on_other_parts(family, base):
    path = "encoder/layer/0/attention/self/key/kernel"
    draws = [
        np.asarray(flatten_with_paths(reinitialize(base, parts, seed).params)[path])
        for parts, seed in ((["attention"], 1), (["output", "attention"], 1), (["attention"], 2))
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).all()


def test_no_leaf_changes_without_parts_to_draw(base):
    before, after = (
        flatten_with_paths(base.params),
        flatten_with_paths(reinitialize(base, ()).params),
    )
    assert all(after[path] is before[path] for path in before)
    with pytest.raises(InputError, match=r"model.reinit: .* among embeddings, .* got heads"):
        reinitialize(base, ["heads"])
