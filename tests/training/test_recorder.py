"""What a run writes of its metrics, and the errors of files that cannot be written."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from maskjax.analysis.resumable import read_jobs
from maskjax.analysis.training_curves import read_curves
from maskjax.errors import InputError
from maskjax.training.hooks.recorder import Recorder


def events(folder: Path) -> list[Event]:
    """All events of all files, oldest first."""
    found = []
    for path in sorted((folder / "tensorboard").iterdir()):
        content = path.read_bytes()
        while content:
            size = int.from_bytes(content[:8], "little")
            found.append(Event.FromString(content[12 : 12 + size]))
            content = content[16 + size :]
    return found


def test_metrics_are_written_as_lines_and_events(tmp_path):
    with closing(Recorder(tmp_path)) as recorder:
        recorder.open(0)
        recorder.write(10, {"loss": 0.5, "score": 0.25})
    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line) | {"seconds": 0} == {
        "step": 10,
        "seconds": 0,
        "loss": 0.5,
        "score": 0.25,
    }
    version, start, *scalars = events(tmp_path)
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (1, 1)
    values = [(event.step, event.summary.value[0].tag) for event in scalars]
    assert values == [(10, "loss"), (10, "score")]
    assert scalars[0].summary.value[0].simple_value == 0.5


def test_lines_of_repeated_steps_are_dropped(tmp_path):
    lines = [{"step": step, "seconds": float(step)} for step in (10, 20, 30)]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 4'
    (tmp_path / "metrics.jsonl").write_text(text)
    with closing(Recorder(tmp_path)) as recorder:
        recorder.open(20)
        recorder.write(30, {"loss": 1.0})
    found = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in found] == [10, 20, 30]
    assert found[-1]["seconds"] >= 20


DAMAGED = [b"{", b"\xff\xfe\x00", b"[" * 10_000, b"[]", b'{"step": "x", "seconds": 1}', b"{}"]


@pytest.mark.parametrize("line", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_line_is_refused_by_number(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 10, "seconds": 1.0}\n' + line + b"\n")
    for read in (lambda: Recorder(tmp_path).open(20), lambda: read_curves(tmp_path)):
        with pytest.raises(InputError, match=r"metrics.jsonl line 2: .*delete the line") as raised:
            read()
        assert "\n" not in str(raised.value)
    with pytest.raises(InputError, match=r"metrics.jsonl line 1: .*delete the line"):
        read_jobs(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("name", ["metrics.jsonl", "tensorboard"])
def test_full_disk_is_a_one_line_error(tmp_path, name, monkeypatch):
    if name == "metrics.jsonl":
        (tmp_path / name).symlink_to("/dev/full")
        monkeypatch.setattr("maskjax.training.hooks.recorder._keep_lines", lambda *_: 0.0)
    else:
        full = "tensorboardX.record_writer.open_file"
        monkeypatch.setattr(full, lambda _: open("/dev/full", "wb"))  # noqa: SIM115
        monkeypatch.setattr("maskjax.training.hooks.recorder.FLUSH_SECONDS", -1)
    recorder = Recorder(tmp_path)
    recorder.open(0)
    with pytest.raises(InputError, match=r"metrics.jsonl: cannot be written: No space left"):
        recorder.write(1, {"loss": 1.0})
    with pytest.raises(InputError, match=r"metrics.jsonl: cannot be written: No space left"):
        recorder.close()
