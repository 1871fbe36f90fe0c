"""The container file, and its command as its user, on a read-only root, without a home.

No container engine is needed: namespaces of Linux give the same conditions.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import httpx2
import pytest

from maskjax.config import AdaptationConfig

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf8").splitlines()
PROGRAM = """
import os, sys
from importlib.machinery import PathFinder
class OfTheImage(PathFinder):  # it has neither, and both want a folder to write to
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in ("torch", "IPython") else super().find_spec(name, path, target)
sys.meta_path = [OfTheImage if finder is PathFinder else finder for finder in sys.meta_path]
paths = ["/", "/tmp", "/var/tmp", "/dev/shm", os.getcwd(), *sys.path[1:]]
print(os.getuid(), os.getgid(), os.environ.get("HOME"), [p for p in paths if os.access(p, os.W_OK)],
      file=sys.stderr, flush=True)
from maskjax.cli.main import main
raise SystemExit(main(sys.argv[1:]))
"""
READ_ONLY = """
mount --make-rprivate /
while read -r _ folder _ options _; do
  case $folder in /proc*) continue ;; esac  # the next unshare writes its map of users there
  mount -o "remount,bind,$(echo "ro,$options" | sed 's/,rw//')" "$(printf %b "$folder")" || true
done < /proc/self/mounts 2> /dev/null
exec "$@"
"""


def values_of(word):
    """What stands after an instruction, each time it is there."""
    return [line.removeprefix(f"{word} ") for line in LINES if line.startswith(f"{word} ")]


def in_container(command):
    """A command as the container file's user, with its variables alone, on a read-only root."""
    (user,) = values_of("USER")
    uid, gid = user.split(":")
    variables = [f"PATH={os.environ['PATH']}", *values_of("ENV")]
    inner = [
        "unshare",
        "--user",
        f"--map-user={uid}",
        f"--map-group={gid}",
        "env",
        "-i",
        *variables,
    ]
    outer = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", READ_ONLY, "sh"]
    return [*outer, *inner, *command]


def why_not():
    """Why there is no such sandbox here; empty where there is."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return "needs unshare of util-linux, on Linux"
    command = in_container(["sh", "-c", f"! touch {ROOT}/x && ! touch /tmp/x"])
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    return (tried.stderr.strip() or "it can be written") if tried.returncode else ""


def test_container_file_installs_existing_sources_and_extras():
    for line in values_of("COPY"):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in (ROOT / ".dockerignore").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extra,) = re.findall(r"pip install .*\[(\w+)\]", "\n".join(LINES))
    assert extra in project["optional-dependencies"]
    (version,) = re.findall(r"FROM python:(3\.\d+)", "\n".join(LINES))
    assert f"Programming Language :: Python :: {version}" in project["classifiers"]


def test_the_user_is_a_number_that_is_not_root():
    """Kubernetes can check a number, but not a name, for not being root."""
    (user,) = values_of("USER")
    assert all(int(number) >= 10_000 for number in user.split(":"))


def test_the_command_needs_no_home_and_writes_nothing(base_of, task_of, write_run, tmp_path):
    if reason := why_not():
        pytest.skip(f"no user and mount namespaces here: {reason}")
    masked = AdaptationConfig(initializer="uniform", sparsity=0.3, blocks=(1, 2))
    write_run(base_of("bert"), task_of("classification"), masked, tmp_path / "toy")
    (entry,), (words,) = (map(json.loads, values_of(name)) for name in ("ENTRYPOINT", "CMD"))
    places = {"/base": str(base_of("bert")), "/tasks": str(tmp_path)}
    command = [*entry[1:], *(places.get(word, word) for word in words), "--port", "0"]
    command = [sys.executable, "-c", PROGRAM, *command, "--no-warm-up", "--poll", "0.1"]
    log = tmp_path / "log"
    with log.open("w") as into, running(in_container(command), into) as server:
        wait_until(lambda: "added task toy" in log.read_text(), server, log)
        first, *lines = log.read_text().splitlines()
        assert first == f"{values_of('USER')[0].replace(':', ' ')} None []"
        (port,) = re.findall(r"http://0\.0\.0\.0:(\d+)", "".join(lines))
        address = f"http://127.0.0.1:{port}"
        for path in ("healthz", "metrics"):
            assert httpx2.get(f"{address}/{path}").status_code == 200
        response = httpx2.post(f"{address}/models/toy", json={"inputs": "a b"}, timeout=60)
        time.sleep(0.5 * response.is_error)  # until it is in the log
        assert response.status_code == 200, log.read_text()
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == -signal.SIGTERM
    assert "Traceback" not in log.read_text()


@contextlib.contextmanager
def running(command, log):
    with subprocess.Popen(command, stderr=log) as server:
        try:
            yield server
        finally:
            server.kill()


def wait_until(holds, server, log, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)
