"""Pieces of a page that opens offline: every text is escaped, every picture is in the file."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

PAGE = Template(files("maskjax.analysis").joinpath("report.html").read_text(encoding="utf8"))


def page_html(title: str, note: str, sections: Iterable[tuple[str, str]]) -> str:
    """Puts a page together."""
    parts = [f"<h2>{escape(heading)}</h2>\n{content}" for heading, content in sections]
    return PAGE.substitute(title=escape(title), note=escape(note), sections="\n".join(parts))


def table_html(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls by itself where it is wider than the screen.

    Example:
        >>> print(table_html(["run", "score"], [["a<b", "0.5"]]))
        <div class="wide"><table>
        <tr><th scope="col">run</th><th scope="col">score</th></tr>
        <tr><th scope="row">a&lt;b</th><td>0.5</td></tr>
        </table></div>
    """
    lines = ["".join(f'<th scope="col">{escape(name)}</th>' for name in head)]
    for first, *others in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in others)
        lines.append(f'<th scope="row">{escape(first)}</th>{cells}')
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table>\n{body}\n</table></div>'


def figure_html(svg: bytes, caption: str) -> str:
    """A vector picture on a light card.

    It is an image rather than a part of the document: names within several pictures do not meet,
    and nothing in one can run.
    """
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    text = escape(caption)
    picture = f'<div><img alt="{text}" src="{source}"></div>'
    return f"<figure>{picture}<figcaption>{text}</figcaption></figure>"
