"""The trial of published models, on a local folder in place of the Hub."""

import pytest

pytest.importorskip("torch", reason="needs PyTorch, which it compares with")

from experiments import live
from maskjax.cli.main import main
from maskjax.models.tried import read_tried, write_tried

pytestmark = pytest.mark.usefixtures("standard_promotion")


@pytest.mark.slow
def test_a_model_is_compared_and_trained_and_its_result_kept(
    base_of, toy_rows, tmp_path, monkeypatch
):
    monkeypatch.setattr(live, "STEPS", 2)
    file, rows = tmp_path / "tried.json", tmp_path / "rows"
    rows.mkdir()
    for path in toy_rows.iterdir():  # SST-2 calls the column so
        text = path.read_text().replace("text\tlabel", "sentence\tlabel")
        (rows / path.name).write_text(text.replace("negative", "0").replace("positive", "1"))
    write_tried(read_tried()._replace(live={"an/other": {"error": "none"}}), file)
    models = (str(base_of("modernbert")), str(tmp_path / "absent"))
    live.main(models=models, rows=str(rows), out=tmp_path / "runs", file=file)
    found = read_tried(file).live
    assert found["an/other"] == {"error": "none"}
    assert found[models[0]]["family"] == "modernbert"
    assert 0 < found[models[0]]["logits"] < 1e-5
    assert 0 <= found[models[0]]["sst2"] <= 1
    assert "does not exist" in found[models[1]]["error"]


def test_models_lists_every_family_with_its_parity(capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out
    for family, parity in read_tried().parity.items():
        (line,) = (line for line in lines.splitlines() if f" {family} " in line)
        assert f"{parity['hidden']:.1e}" in line
