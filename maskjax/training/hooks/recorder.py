"""Every number of a run on disk: JSON lines, and an event file of TensorBoard."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

from tensorboardX.proto import event_pb2
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import scalar

from maskjax.config import parse_json
from maskjax.errors import InputError
from maskjax.taskfile import METRICS_FILE
from maskjax.training.hooks.hook import Hook, Training

protocol = cast(Any, event_pb2)  # its classes are made when it is imported
TENSORBOARD = "tensorboard"
FLUSH_SECONDS = 30
"""Seconds between two moments at which the event file reaches the disk."""


class Recorder(Hook):
    """Appends the numbers of a seed to `metrics.jsonl` and TensorBoard in its run folder."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self._folder = folder
        self._seed = seed
        self._lines: TextIO | None = None
        self._board: RecordWriter | None = None
        self._start = self._flushed = time.perf_counter()

    def begin(self, training: Training) -> None:
        """Opens both files."""
        self.open(training.step)

    def __call__(self, training: Training) -> None:
        """Writes the numbers of a step, if there are any."""
        if numbers := training.numbers[self._seed]:
            self.write(training.step, numbers)

    def open(self, done: int) -> None:
        """Opens both files, without the lines of steps that will be made again."""
        path, board = self._folder / METRICS_FILE, self._folder / TENSORBOARD
        with self._writing():
            self._start = time.perf_counter() - _keep_lines(path, done)
            self._lines = path.open("a", encoding="utf8")
            board.mkdir(exist_ok=True)
            # Not SummaryWriter, whose thread prints tracebacks when the disk is full.
            name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}"
            self._board = RecordWriter(str(board / name))
            restart = protocol.SessionLog(status=protocol.SessionLog.START)
            self._write_event(file_version="brain.Event:2")
            self._write_event(step=done + 1, session_log=restart)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Writes one line and flushes it, so that a killed run keeps what it has written."""
        if self._lines is None or self._board is None:
            raise RuntimeError("the recorder is not open")
        seconds = round(time.perf_counter() - self._start, 3)
        with self._writing():
            self._lines.write(json.dumps({"step": step, "seconds": seconds, **values}) + "\n")
            self._lines.flush()
            for name, value in values.items():
                self._write_event(step=step, summary=scalar(name, value))
            if time.perf_counter() - self._flushed > FLUSH_SECONDS:
                self._board.flush()
                self._flushed = time.perf_counter()

    def close(self) -> None:
        """Closes both files."""
        files, self._lines, self._board = (self._lines, self._board), None, None
        with self._writing(), ExitStack() as stack:
            for file in filter(None, files):
                stack.callback(file.close)

    def _write_event(self, **fields: Any) -> None:
        if self._board is not None:
            event = protocol.Event(wall_time=time.time(), **fields)
            self._board.write(event.SerializeToString())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self._folder / METRICS_FILE}: cannot be written: {error.strerror}."
            ) from error


def _keep_lines(path: Path, done: int) -> float:
    """Drops the lines of steps after `done`, and half a line; gives the seconds of the last."""
    seconds = 0.0
    if not path.exists():
        return seconds
    with path.open("r+b") as file:
        kept = 0
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            step, since = _read_line(path, number, line)
            if step > done:
                break
            kept, seconds = kept + len(line), since
        file.truncate(kept)
    return seconds


def _read_line(path: Path, number: int, line: bytes) -> tuple[int, float]:
    """The step and the seconds of a line."""
    values = parse_json(line, f"{path} line {number}", "delete the line")
    match values:
        case {"step": int(step), "seconds": int(seconds) | float(seconds)}:
            return step, seconds
    raise InputError(f"{path} line {number}: expected the numbers of a step; delete the line.")
