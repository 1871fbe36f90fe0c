"""A predictor without a model, whose answers tell text, task and version; also a server of it.

    python tests/serving/fake.py FOLDER SECONDS DRAIN

serves the task files of FOLDER, takes SECONDS for a batch, and prints its port. A task file holds
its version as text; one that says `damaged` is refused, as a file of a wrong base would be.
"""

import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from maskjax.errors import InputError
from maskjax.tasks import Task

TASKS = {
    "mood": Task(name="mood", labels=("sad", "glad", "odd")),
    "same": Task(name="same", text=("first", "second"), labels=("no", "yes")),
    "stars": Task(name="stars", kind="regression"),
    "tags": Task(name="tags", kind="tokens", labels=("O", "B")),
    "next": Task(name="next", kind="choice", labels=("a", "b"), choices=("a", "b")),
}


class PreparedRow(NamedTuple):
    task: str | None
    padded_length: int
    padded_tokens: int
    texts: tuple[str, ...]
    vector: bool = False
    function: str = "softmax"

    @property
    def truncated(self) -> bool:
        """A row of more than 40 words is."""
        return len(" ".join(self.texts).split()) > 40


def padded(length: int) -> int:
    """The next power of two."""
    return max(16, 1 << (length - 1).bit_length())


def share(*parts: str | None) -> float:
    """A number in [0, 1) that no other parts give."""
    return zlib.crc32("|".join(map(str, parts)).encode("utf8", "replace")) / 2**32


class FakePredictor:
    def __init__(self, tasks: dict[str, Task] | None = None, seconds: float = 0.0):
        self.tasks = dict(TASKS if tasks is None else tasks)
        self.versions: dict[str | None, str] = {}
        self.batches: list[list[PreparedRow]] = []
        self.seconds = seconds
        self.gate = threading.Event()
        self.gate.set()
        self.warm = False
        self.before: Callable[[], None] = lambda: None

    def prepare(self, inputs, task, *, vector=False, function="softmax"):
        if task is not None and task not in self.tasks:
            raise InputError(f"no task {task!r}")
        rows = [(row,) if isinstance(row, str) else row for row in inputs]
        lengths = [padded(max(len(text.split()) for text in row) + 2) for row in rows]
        tokens = [
            length * (len(row) - 1 if task == "next" else 1)
            for row, length in zip(rows, lengths, strict=True)
        ]
        return [
            PreparedRow(task, *sizes, vector, function)
            for sizes in zip(lengths, tokens, rows, strict=True)
        ]

    def run(self, rows, top_k):
        assert top_k is None
        self.batches.append(list(rows))
        assert self.gate.wait(20)
        time.sleep(self.seconds)
        self.before()
        for row in rows:
            if row.task is not None and row.task not in self.tasks:
                raise InputError(f"no task {row.task!r}")
        return [self.answer_row(row) for row in rows]

    def answer_row(self, row):
        answer = self.answer_whole(row)
        if not row.truncated or not isinstance(answer[0], dict):
            return answer
        return [{**part, "truncated": True} for part in answer]

    def answer_whole(self, row):
        if row.vector:
            return self.vector(row.task, *row.texts)
        if row.function != "softmax":
            score = share(row.task, row.function, *row.texts)
            return [{"label": label, "score": score} for label in "abc"]
        return self.answer(row.task, *row.texts)

    def vector(self, task, text):
        return [3 * share("vector", task, text), 4 * share("vector", task, text), 0.0]

    def answer(self, task, *texts):
        score = share(task, self.versions.get(task, ""), *texts)
        if task is None:
            return [score, 1.0]
        if task == "tags":
            return [
                {"entity": "B", "score": share(task, word), "word": word, "index": index}
                for index, word in enumerate(texts)
            ]
        if task == "stars":
            return [{"label": "LABEL_0", "score": score}]
        return [{"label": label, "score": score / (1 + n)} for n, label in enumerate("abc")]

    def add(self, place, name):
        version = Path(place).read_text()
        if version == "damaged":
            raise InputError(f"{place}: damaged")
        self.tasks = self.tasks | {name: TASKS.get(name, TASKS["mood"])}
        self.versions[name] = version
        return name

    def remove(self, name):
        self.tasks = {other: task for other, task in self.tasks.items() if other != name}

    def warm_up(self):
        self.warm = True
        return 1

    def resident(self):
        return {"base": 1000, "packed": 10 * len(self.tasks)}


def main(folder: str, seconds: str, drain: str) -> None:
    from maskjax.serving import Metrics, Watcher, bind, make_app, serve

    predictor = FakePredictor({}, float(seconds))
    metrics = Metrics(predictor.resident)
    watcher = Watcher(Path(folder), predictor, metrics, seconds=0.05)
    bound = bind("127.0.0.1", 0)
    print(bound.getsockname()[1], flush=True)
    serve(make_app(predictor, watcher=watcher, metrics=metrics), bound, drain=float(drain))


if __name__ == "__main__":
    main(*sys.argv[1:])
