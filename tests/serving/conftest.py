"""The fake predictor, and a real server of it in a thread."""

import importlib.util
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import uvicorn

from maskjax.config import Limits
from maskjax.serving import bind, make_app
from maskjax.serving.connections import ServerConfig


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    """The module in this folder; it is no package, since it is a program too."""
    spec = importlib.util.spec_from_file_location("fake", Path(__file__).with_name("fake.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def predictor(fake):
    return fake.FakePredictor()


@pytest.fixture
def serving() -> Iterator[Callable[..., str]]:
    """Starts uvicorn on loopback; gives its address."""
    running = []

    def start(predictor, **options) -> str:
        bound = bind("127.0.0.1", 0)
        limits = options.get("limits", Limits())
        config = ServerConfig(make_app(predictor, **options), limits, log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        running.append((server, thread))
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        return f"http://127.0.0.1:{bound.getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
