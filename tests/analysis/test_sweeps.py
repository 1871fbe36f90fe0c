"""Sweeps: what they train, that each run is trained once, and what the controls are."""

import csv
import json

import numpy as np
import pytest
from pandas import DataFrame

from maskjax import training
from maskjax.analysis import baselines, sweeps
from maskjax.analysis.layer_sweep import ORDERS, Places, draw_layers, layer_plans
from maskjax.analysis.sparsity_sweep import MASKS, draw_sparsity, sparsity_plans
from maskjax.cli.main import main
from maskjax.config import Config, TaskConfig, TrainConfig, config_to_dict
from maskjax.inference import load_run
from maskjax.masking import flatten_with_paths
from maskjax.models import load_base
from maskjax.taskfile import load_task_file
from maskjax.tasks import load_task

pytestmark = pytest.mark.usefixtures("standard_promotion")


def test_repeated_sweep_trains_nothing(toy_config, toy_base, tmp_path, monkeypatch, capsys):
    config = toy_config(train=TrainConfig(batch_size=16, epochs=1, buckets=(16,)))
    (tmp_path / "config.json").write_text(json.dumps(config_to_dict(config)))
    out = tmp_path / "out"
    words = ["analyze", "sparsity", "--config", str(tmp_path / "config.json"), "--out", str(out)]
    words += ["--sparsities", "0.3", "--masks", "learned", "magnitude"]
    assert main(words) == 0
    assert "2 runs to train in all, 2 settings" in capsys.readouterr().out
    rows = list(csv.DictReader((out / "sparsity.csv").read_text().splitlines()))
    assert [row["masks"] for row in rows] == ["learned", "magnitude"]
    for row in rows:
        folder = out / "runs" / f"toy-{row['masks']}-0.3" / "seed-0"
        score = load_run(folder).score(load_task(config.task).splits["dev"])
        assert float(row["score"]) == pytest.approx(score)
        assert int(row["bytes"]) == (folder / "task.safetensors").stat().st_size
    weights = flatten_with_paths(load_base(toy_base).params)
    for path, packed in load_task_file(folder / "task.safetensors").masks.items():
        mask = packed.unpack()
        size = np.abs(weights[path])
        assert size[mask].min() >= size[~mask].max()
        assert (~mask).sum() == round(0.3 * mask.size)

    def refuse(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(baselines, "run", refuse)
    monkeypatch.setattr(training, "run_seeds", refuse)
    (out / "sweep.jsonl").unlink()  # the runs themselves say that they are finished
    assert main(words) == 0
    assert main([*words, "--split", "test2"]) == 2
    assert "there is no 'test2'" in capsys.readouterr().err
    assert main([*words, "--train.epochs", "2"]) == 2
    assert "train.epochs: 1 there, 2 now" in capsys.readouterr().err


def test_sparsity_plans_cover_tasks_sparsities_and_controls():
    configs = [Config(task=TaskConfig(name=name)) for name in ("a", "b")]
    plans = sparsity_plans(configs, (0.1, 0.5), MASKS)
    assert len({plan.name for plan in plans}) == len(plans) == 12
    for plan in plans:
        adaptation = plan.config.adaptation
        assert (plan.config.task.name, adaptation.sparsity) == (
            plan.key["task"],
            plan.key["sparsity"],
        )
        assert adaptation.initializer == {"learned": "uniform"}.get(
            plan.key["masks"], plan.key["masks"]
        )
        assert plan.control == (plan.key["masks"] != "learned")


def test_layer_plans_cover_blocks_and_matrix_types_once():
    """Every block is added once from either side, and every type is alone and missing once."""
    types = ("query", "key", "value")
    plans = layer_plans(Config(), Places(5, types), ORDERS, every=2)
    assert len({plan.name for plan in plans}) == len(plans)
    by_order = {order: [p for p in plans if p.key["order"] == order] for order in ORDERS}
    blocks = {
        order: [plan.config.adaptation.blocks for plan in by_order[order]] for order in ORDERS[:2]
    }
    assert blocks["bottom-up"] == [(0, 1), (0, 3), (0, 4)]
    assert blocks["top-down"] == [(3, 4), (1, 4), (0, 4)]
    for only, rest in zip(by_order["only"], by_order["all but"], strict=True):
        one, others = only.config.adaptation.matrix_types, rest.config.adaptation.matrix_types
        assert sorted(one + others) == sorted(types)
        assert len(one) == 1


def test_repeated_tasks_and_wrong_sparsities_are_refused(capsys, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config_to_dict(Config())))
    assert main(["analyze", "layers", f"--config={path}", "--config", str(path)]) == 2
    assert "expected a task once" in capsys.readouterr().err
    assert main(["analyze", "sparsity", "--sparsities", "1.5"]) == 2
    assert "--sparsities: expected fractions" in capsys.readouterr().err


def test_split_is_by_default_the_first_that_a_run_was_scored_on():
    runs = [{"seed": 0, "scores": {"test": 0.5, "dev": 0.6}}, {"seed": 1, "scores": {"holdout": 1}}]
    frame = sweeps.scores_of(runs, None)
    assert frame[["split", "score"]].to_numpy().tolist() == [["dev", 0.6], ["holdout", 1]]


def test_figures_average_over_seeds():
    common = {"task": "t", "metric": "f1", "split": "dev", "bytes": 2000}
    rows = [
        {**common, "masks": "learned", "sparsity": s, "seed": seed, "score": s + seed}
        for s in (0.05, 0.5)
        for seed in (0, 1, 2)
    ]
    (line,) = draw_sparsity(DataFrame(rows)).axes[0].get_lines()
    np.testing.assert_allclose(line.get_ydata(), [1.05, 1.5])
    rows = [
        {**common, "order": order, "masked": f"m{n}", "count": n, "seed": seed, "score": n * seed}
        for order in ORDERS
        for n in (1, 2)
        for seed in (0, 2)
    ]
    blocks, types, kilobytes, _ = draw_layers(DataFrame(rows)).axes
    assert [line.get_ydata().tolist() for line in blocks.get_lines()] == [[1, 2], [1, 2]]
    assert len(types.containers) == 2
    assert kilobytes.get_lines()[0].get_ydata().tolist() == [2, 2]
