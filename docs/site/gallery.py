"""Writes the gallery: every picture of docs/study.md as a card that links to its section."""

import re
from pathlib import Path

from reference import write_changed

STUDY = Path(__file__).parents[1] / "study.md"
PART = re.compile(r"^## (?P<heading>.+)$|!\[(?P<caption>.*)\]\((?P<picture>[^)]+)\)", re.M)


def anchor_of(heading: str) -> str:
    """The anchor of a heading, as code hosts and MyST make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def cards(text: str) -> list[dict[str, str]]:
    """The pictures of a document with the heading above each."""
    found, heading = [], ""
    for match in PART.finditer(text):
        heading = match["heading"] or heading
        if match["picture"]:
            parts = {"caption": match["caption"], "picture": match["picture"]}
            found.append({"heading": heading, "anchor": anchor_of(heading), **parts})
    return found


def write_page(path: Path) -> None:
    """Writes the page."""
    made = [card(**parts) for parts in cards(STUDY.read_text(encoding="utf8"))]
    head = "# Gallery\n\nThe figures of [the study](../../study.md). Each leads to its section.\n"
    grid = ["::::{grid} 1 2 2 3", ":gutter: 3", "", *made, "::::"]
    write_changed(path, "\n".join([head, *grid]) + "\n")


def card(*, heading: str, anchor: str, caption: str, picture: str) -> str:
    """A card of the grid."""
    lines = [
        f":::{{grid-item-card}} [{heading}](../../study.md#{anchor})",
        f":img-top: ../../{picture}",
        "",
        caption,
        ":::",
    ]
    return "\n".join(lines)
