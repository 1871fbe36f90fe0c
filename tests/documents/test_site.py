"""The site of the documentation: the API reference, the picture of the packages, the gallery."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs" / "site"
DOCUMENTED = re.compile(r"^(?:\.\. (?:autoclass|autofunction):: |- ``)([\w.]+)", re.M)
VALUE = re.compile(r"^\.\. py:data:: (\w+)\n   :module: (\S+)$", re.M)


@pytest.fixture
def site(monkeypatch):
    """Imports a module of docs/site, which Sphinx imports by its bare name."""
    monkeypatch.syspath_prepend(SITE)
    return importlib.import_module


def packages():
    """maskjax and each package below it."""
    folders = (file.parent for file in ROOT.glob("maskjax/*/__init__.py"))
    below = [*(f"maskjax.{folder.name}" for folder in folders), "maskjax.masking.packed"]
    return [importlib.import_module(name) for name in ("maskjax", *below)]


@pytest.fixture
def pages(site, tmp_path):
    """The generated pages of the reference by the name of their package."""
    site("reference").write_pages(tmp_path)
    return {path.stem: path.read_text(encoding="utf8") for path in tmp_path.glob("*.rst")}


def test_every_public_name_is_in_the_reference(pages):
    exported = {
        f"{package.__name__}.{name}"
        for package in packages()
        for name in getattr(package, "__all__", ())
    }
    text = "\n".join(pages.values())
    values = [f"{module}.{name}" for name, module in VALUE.findall(text)]
    documented = DOCUMENTED.findall(text) + values
    assert values
    assert set(documented) == exported
    assert len(documented) == len(exported) > 250


def test_build_reports_a_missing_public_name(site):
    names = {
        f"{package.__name__}.{name}"
        for package in packages()[1:]
        for name in getattr(package, "__all__", ())
    }
    assert not site("reference").missing(names)
    assert site("reference").missing(names - {"maskjax.tasks.METRICS"}) == ["maskjax.tasks.METRICS"]


def test_a_package_without_exports_lists_its_modules(pages):
    for file in ROOT.glob("maskjax/analysis/[!_]*.py"):
        assert f"``maskjax.analysis.{file.stem}``" in pages["maskjax.analysis"]


def test_every_page_is_in_the_table_of_contents(pages):
    index = (SITE / "index.md").read_text(encoding="utf8")
    assert set(re.findall(r"^generated/(maskjax\S*)$", index, re.M)) == pages.keys()


def test_undefined_name_is_an_error(site):
    with pytest.raises(LookupError, match=r"maskjax\.masking: absent is exported and neither"):
        site("reference").find_definition("maskjax.masking", "absent")


def test_code_in_docstrings_becomes_links_or_literals(site):
    lines = ["A |W| as `{path:", "array}`, or `None`.", "", ">>> a | b", "`x`"]
    assert site("markup").convert_lines(lines) == [
        "A \\|W\\| as ``{path:",
        "array}``, or :py:obj:`None`.",
        "",
        ">>> a | b",
        ":py:obj:`x`",
        "",
    ]


def test_imports_in_the_picture_match_the_source(site):
    line = re.compile(r"^\s*(?:from|import) maskjax\.(\w+)", re.M)
    drawn = site("packages").read_imports(ROOT / "maskjax")
    assert len(drawn) > 10
    for name, imported in drawn.items():
        files = (ROOT / "maskjax" / name).rglob("*.py")
        text = "\n".join(file.read_text(encoding="utf8") for file in files)
        text = re.sub(r'""".*?"""', "", text, flags=re.S)
        assert imported == set(line.findall(text)) & (drawn.keys() - {name})


def test_arrows_point_down_and_implied_ones_are_left_out(site):
    packages = site("packages")
    imports = {"top": {"middle", "base"}, "middle": {"base"}, "base": set(), "alone": set()}
    assert packages.needed_arrows(imports) == [("middle", "base"), ("top", "middle")]
    places = packages.centers(imports)
    assert places["top"][1] < places["middle"][1] < places["base"][1] == places["alone"][1]
    assert packages.draw(imports).count("<line") == 2
    assert packages.table(imports).splitlines()[2:] == [
        "| `top` | `base`, `middle` |",
        "| `middle` | `base` |",
        "| `alone` |  |",
        "| `base` |  |",
    ]


def test_import_cycle_is_an_error(site):
    with pytest.raises(ValueError, match="a -> b -> a"):
        site("packages").layers({"a": {"b"}, "b": {"a"}})


def test_the_gallery_shows_every_figure_of_the_study(site, tmp_path):
    site("gallery").write_page(tmp_path / "gallery.md")
    text = (tmp_path / "gallery.md").read_text(encoding="utf8")
    shown = re.findall(r"^:img-top: (\S+)$", text, re.M)
    assert sorted((SITE / "generated" / path).resolve() for path in shown) == sorted(
        ROOT.glob("docs/study/*")
    )
    assert "[What was dropped](../../study.md#what-was-dropped)" in text


def test_the_reference_is_written_only_where_it_changed(site, tmp_path):
    write = site("reference").write_changed
    write(tmp_path / "page", "one")
    before = (tmp_path / "page").stat().st_mtime_ns
    write(tmp_path / "page", "one")
    assert (tmp_path / "page").stat().st_mtime_ns == before
    write(tmp_path / "page", "two")
    assert (tmp_path / "page").read_text() == "two"
