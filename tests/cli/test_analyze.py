"""`maskjax analyze`: the list of the studies, and what it refuses."""

from maskjax.cli.analyze import USAGE, _studies
from maskjax.cli.main import main


def test_every_study_is_listed(capsys):
    assert main(["analyze"]) == 2
    assert capsys.readouterr().out == USAGE
    for name in _studies():
        assert f"\n  {name}" in USAGE


def test_an_unknown_study_is_refused(capsys):
    assert main(["analyze", "dreams"]) == 2
    assert "no study 'dreams'" in capsys.readouterr().err
