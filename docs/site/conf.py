"""Sphinx's configuration: the root of the repository is the source, so no document is copied.

`make docs` builds the site. Links between README.md, docs/ and tpu/ work on the site as they do on
a code host, because every page keeps its path.
"""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

import gallery  # noqa: E402
import markup  # noqa: E402
import packages  # noqa: E402
import reference  # noqa: E402

import maskjax  # noqa: E402

project = "maskjax"
author = "the maskjax maintainers"
release = maskjax.__version__
root_doc = "docs/site/index"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
]
include_patterns = ["*.md", "docs/*.md", "docs/site/**", "docs/tutorials/*.ipynb", "tpu/*"]
# Sphinx walks every folder that is not excluded, and environments have many thousands of files.
exclude_patterns = [
    ".*",
    "build",
    "dist",
    "maskjax",
    "runs",
    "tests",
    "**/__pycache__",
    "docs/site/generated/imports.md",  # included by architecture.md
]

html_theme = "furo"
html_title = f"maskjax {release}"
# The pages keep their paths, so the first page is not at the root: this file leads there.
html_extra_path = ["index.html"]
html_copy_source = False
html_show_copyright = False

# The tutorials are stored without outputs and run when the site is built.
nb_execution_mode = "force"
nb_execution_excludepatterns = ["tpu/*"]  # It installs maskjax; tests/hosts runs it.
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_output_stderr = "remove"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
# Cells of notebooks (`!mkdir`) and shortened JSON are no programs of their language.
suppress_warnings = ["misc.highlighting_failure"]

autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88


def skip_member(  # noqa: PLR0917 -- Sphinx gives them by position
    app: object, kind: str, name: str, member: object, skip: bool, options: object
) -> bool | None:
    """Leaves out fields of named tuples, which the class describes under Attributes."""
    del app, kind, name, skip, options
    text = getattr(member, "__doc__", None) or ""
    return True if text.startswith("Alias for field number") else None


def convert_docstring(  # noqa: PLR0917 -- Sphinx gives them by position
    app: object, what: str, name: str, described: object, options: object, lines: list[str]
) -> None:
    """Rewrites a docstring in place, before Napoleon reads its sections."""
    del app, what, name, described, options
    lines[:] = markup.convert_lines(lines)


def check_names(app: Any, exception: Exception | None) -> None:
    """Fails a build whose pages leave out a public name."""
    names = reference.missing(app.env.get_domain("py").objects)
    if names and exception is None:
        raise LookupError(f"not in the API reference: {', '.join(names)}")


def setup(app: Any) -> None:
    """Writes the generated pages before Sphinx looks for its sources."""
    generated = HERE / "generated"
    generated.mkdir(exist_ok=True)
    reference.write_pages(generated)
    packages.write_picture(generated)
    gallery.write_page(generated / "gallery.md")
    app.connect("autodoc-skip-member", skip_member)
    app.connect("autodoc-process-docstring", convert_docstring, priority=100)
    app.connect("build-finished", check_names)
