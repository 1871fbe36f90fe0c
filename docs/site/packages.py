"""Draws the packages of maskjax as layers, with arrows that are read from their imports.

A package stands one layer above the highest package that it imports. An arrow that follows from
others (cli imports masking, but also analysis, which imports it) is left out of the picture, and
stands in the table.
"""

import ast
from collections.abc import Mapping
from pathlib import Path

from reference import write_changed

ROOT = Path(__file__).parents[2]
BOX_WIDTH, BOX_HEIGHT, GAP, LAYER, MARGIN = 104, 34, 50, 78, 16
STYLE = """
rect { fill: #eef3fb; stroke: #4a6fa5; }
text { font: 14px sans-serif; fill: #1f2d3d; text-anchor: middle; dominant-baseline: central; }
line { stroke: #4a6fa5; stroke-width: 1.3; marker-end: url(#tip); }
"""
TIP = (
    '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 8 4 0 8z" fill="#4a6fa5"/></marker>'
)
Imports = dict[str, set[str]]


def read_imports(folder: Path) -> Imports:
    """The packages in a folder, and which of the others each one imports anywhere in its files."""
    names = {path.parent.name for path in folder.glob("*/__init__.py")}
    return {
        name: {
            part
            for file in (folder / name).rglob("*.py")
            for part in imported_parts(file, folder.name)
        }
        & (names - {name})
        for name in names
    }


def imported_parts(file: Path, root: str) -> set[str]:
    """What a file imports from directly below the package `root`."""
    modules = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = (module.split(".") for module in modules)
    return {part[1] for part in parts if part[0] == root and len(part) > 1}


def layers(imports: Imports) -> dict[str, int]:
    """The layer of each package, 0 at the bottom; packages that import in a circle are an error."""
    found: dict[str, int] = {}

    def layer(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise ValueError(f"These packages import in a circle: {' -> '.join((*above, name))}.")
        if name not in found:
            below = [layer(imported, (*above, name)) for imported in sorted(imports[name])]
            found[name] = max(below, default=-1) + 1
        return found[name]

    for name in sorted(imports):
        layer(name, ())
    return found


def needed_arrows(imports: Imports) -> list[tuple[str, str]]:
    """The imports that do not follow from others."""
    reached: Imports = {}

    def reach(name: str) -> set[str]:
        if name not in reached:
            reached[name] = imports[name].union(*(reach(below) for below in imports[name]))
        return reached[name]

    return [
        (name, below)
        for name in sorted(imports)
        for below in sorted(imports[name])
        if not any(below in reach(other) for other in imports[name] - {below})
    ]


def centers(imports: Imports) -> dict[str, tuple[float, float]]:
    """Where the middle of each box is; y grows downward, so the highest layer comes first."""
    layer_of = layers(imports)
    rows = [
        sorted(n for n in imports if layer_of[n] == i) for i in range(max(layer_of.values()) + 1)
    ]
    widest = max(map(len, rows))
    step = BOX_WIDTH + GAP
    places: dict[str, tuple[float, float]] = {}
    for number, row in enumerate(rows):
        # A box stands above what it imports where it can, so that fewer arrows cross.
        row.sort(key=lambda name: _mean([places[n][0] for n in imports[name]]))
        left = MARGIN + (widest - len(row)) * step / 2 + BOX_WIDTH / 2
        y = MARGIN + BOX_HEIGHT / 2 + (len(rows) - 1 - number) * LAYER
        places |= {name: (left + place * step, y) for place, name in enumerate(row)}
    return places


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def draw(imports: Imports) -> str:
    """The picture as SVG."""
    places = centers(imports)
    width = max(x for x, _ in places.values()) + BOX_WIDTH / 2 + MARGIN
    height = max(y for _, y in places.values()) + BOX_HEIGHT / 2 + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
        "<title>The packages of maskjax and their imports</title>",
        f"<style>{STYLE}</style><defs>{TIP}</defs>",
        *(arrow(name, below, places) for name, below in needed_arrows(imports)),
        *(box(name, place) for name, place in sorted(places.items())),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def arrow(name: str, below: str, places: Mapping[str, tuple[float, float]]) -> str:
    """A line from the bottom of a box to the top of one that it imports."""
    (x1, y1), (x2, y2) = places[name], places[below]
    half = BOX_HEIGHT / 2
    ends = f'x1="{x1:g}" y1="{y1 + half:g}" x2="{x2:g}" y2="{y2 - half:g}"'
    return f'<line id="{name}-{below}" {ends}/>'


def box(name: str, place: tuple[float, float]) -> str:
    """A box with the name of its package."""
    x, y = place
    corner = f'x="{x - BOX_WIDTH / 2:g}" y="{y - BOX_HEIGHT / 2:g}"'
    return (
        f'<g><rect {corner} width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text x="{x:g}" y="{y:g}">{name}</text></g>'
    )


def table(imports: Imports) -> str:
    """All imports in Markdown, the highest package first."""
    layer_of = layers(imports)
    rows = [
        f"| `{name}` | {', '.join(f'`{below}`' for below in sorted(imports[name]))} |"
        for name in sorted(imports, key=lambda name: (-layer_of[name], name))
    ]
    return "\n".join(["| package | imports |", "|---|---|", *rows]) + "\n"


def write_picture(folder: Path) -> None:
    """Writes `packages.svg` and `imports.md` for this repository."""
    imports = read_imports(ROOT / "maskjax")
    write_changed(folder / "packages.svg", draw(imports))
    write_changed(folder / "imports.md", table(imports))
