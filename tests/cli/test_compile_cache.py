"""The command caches compiled programs in the chosen folder; the library never does."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from maskjax.cli.compile_cache import use_compile_cache
from maskjax.cli.main import main

SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_enable_compilation_cache",
    "jax_persistent_cache_min_compile_time_secs",
)


@pytest.fixture
def settings(monkeypatch, tmp_path):
    """JAX's settings as a fresh process has them, put back afterwards."""
    kept = {name: getattr(jax.config, name) for name in SETTINGS}
    monkeypatch.delenv("MASKJAX_COMPILE_CACHE", raising=False)
    monkeypatch.delenv("MASKJAX_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    jax.config.update("jax_compilation_cache_dir", None)
    yield monkeypatch
    for name, value in kept.items():
        jax.config.update(name, value)


def test_default_folder_is_private_to_the_user(settings, tmp_path):
    use_compile_cache()
    place = tmp_path / "xdg" / "maskjax" / "compiled"
    assert jax.config.jax_compilation_cache_dir == str(place)
    assert place.stat().st_mode & 0o777 == 0o700  # who writes there runs code here


def test_cache_is_a_subfolder_of_the_maskjax_cache(settings, tmp_path):
    settings.setenv("MASKJAX_CACHE", str(tmp_path / "mine"))
    use_compile_cache()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "mine" / "compiled")


@pytest.mark.parametrize("words", [["--no-compile-cache"], []])
def test_cache_can_be_turned_off(words, settings, tmp_path):
    if not words:
        settings.setenv("MASKJAX_COMPILE_CACHE", "off")
    assert main(["tasks", *words]) == 0
    assert not jax.config.jax_enable_compilation_cache
    assert not list(tmp_path.iterdir())


def test_folder_set_in_jax_is_kept_unless_ours_is_set(settings, tmp_path):
    jax.config.update("jax_compilation_cache_dir", "/jax")
    use_compile_cache()
    assert jax.config.jax_compilation_cache_dir == "/jax"
    settings.setenv("MASKJAX_COMPILE_CACHE", "gs://bucket/compiled")
    settings.setattr("importlib.util.find_spec", lambda name: name)  # gcsfs is not installed here
    use_compile_cache()
    assert jax.config.jax_compilation_cache_dir == "gs://bucket/compiled"
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_created_is_a_one_line_error(settings, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    settings.setenv("MASKJAX_COMPILE_CACHE", str(tmp_path / "file" / "compiled"))
    assert main(["tasks"]) == 2
    error = capsys.readouterr().err
    assert "MASKJAX_COMPILE_CACHE" in error
    assert "--no-compile-cache" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("home", ["a file", "none", "read only"])
def test_home_without_a_cache_is_a_note_and_no_error(settings, tmp_path, capsys, home):
    settings.delenv("XDG_CACHE_HOME")
    settings.setenv("HOME", str(tmp_path / "home"))
    if home == "a file":
        (tmp_path / "home").write_text("")
    elif home == "none":  # a user id that no file of users names
        settings.setattr("os.path.expanduser", lambda path: path)
    else:
        settings.setattr("os.access", lambda path, mode: False)
    assert main(["tasks"]) == 0
    note = capsys.readouterr().err
    assert note.startswith("note: ")
    assert "no compiled programs are kept; set MASKJAX_COMPILE_CACHE" in note
    assert note.count("\n") == 1
    assert not jax.config.jax_enable_compilation_cache


CODE = """
import jax
import maskjax, maskjax.cli.compile_cache, maskjax.cli.main, maskjax.training
assert jax.config.values["jax_compilation_cache_dir"] is None
maskjax.cli.compile_cache.SHORTEST = 0.0
assert maskjax.cli.main.main(["tasks"]) == 0
jax.jit(lambda doubled: doubled * 2)(1.0)
"""


def test_first_compiled_program_is_cached(tmp_path):
    """A separate process is needed, since JAX reads the settings once."""
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    environment["MASKJAX_COMPILE_CACHE"] = str(tmp_path / "cache")
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", CODE], env=environment, cwd=root, check=True)
    assert list((tmp_path / "cache").glob("jit__lambda*"))
