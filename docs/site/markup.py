"""Turns the markup of docstrings into reStructuredText.

Docstrings are plain text with code in single backticks. Napoleon would take the colon of
`{path: mask}` for the end of a type, and docutils would look up |W| as a substitution.
"""

import re

CODE = re.compile(r"(?<![`:])`([^`]+)`(?!`)")
NAME = re.compile(r"~?[A-Za-z_][\w.]*")


def to_rst(text: str) -> str:
    """Converts code and vertical bars of a paragraph; a line of an example stays as it is.

    Example:
        >>> to_rst("Weights of |W| as `{path: array}`, or `None`.")
        'Weights of \\\\|W\\\\| as ``{path: array}``, or :py:obj:`None`.'
    """
    parts = CODE.split(text)
    for place in range(0, len(parts), 2):
        parts[place] = parts[place].replace("|", "\\|")
    for place in range(1, len(parts), 2):
        parts[place] = _code(parts[place])
    return "".join(parts)


def _code(text: str) -> str:
    """A single name may have an entry to link to; anything else is code and no more."""
    return f":py:obj:`{text}`" if NAME.fullmatch(text) else f"``{text}``"


def convert_lines(lines: list[str]) -> list[str]:
    """Converts a docstring, whose paragraphs may break a line within backticks."""
    converted, paragraph = [], []
    for line in [*lines, ""]:
        if line.strip() and not line.lstrip().startswith((">>>", "...")):
            paragraph.append(line)
            continue
        converted += [*to_rst("\n".join(paragraph)).split("\n"), line] if paragraph else [line]
        paragraph = []
    return converted
