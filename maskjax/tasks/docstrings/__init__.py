"""Built-in offline tasks over the docstrings of installed packages.

maskjax ships no third-party text, so these tasks read text that every installation already has:
the first docstring sentence of each public class, function and method (properties are neither)
in the Python standard library and in packages that maskjax depends on.

======== =======================================================================
ending   Which of two endings belongs to this beginning of a sentence?
order    Which of two sentences is as it was written, and in which are two words swapped?
library  Which family of packages does this sentence come from?
kind     Does this sentence document a class, a function or a method?
======== =======================================================================

Words alone do not answer `ending` and `order`: an ending is as often right as wrong, and both
sentences have the same words. They answer `library` and `kind` about as well
as a pretrained encoder does.

Sources are parsed and never imported, so docstrings of compiled objects stay unseen. Public
objects of private modules count, because libraries define most of what they export in those.

Text that reveals a label is removed. Markup (roles, backticks, links), a leading call signature and
the final full stop are stripped. A sentence that names one of the families, or spells the name of
its own object the way code does (`read_csv`, `GroupBy`), is dropped: few do, and a gap in the
sentence would be a clue itself. Text that is not prose of 4 to 40 words is dropped too. The word
"class" stays.

Classes are of equal size. Sizes follow the installed versions. With Python 3.11, numpy 2.4, scipy
1.17, pandas 3.1, jax 0.10 and transformers 5.24 (5.23 for `library` and `kind`), and with the best
test accuracy of `maskjax.tasks.baselines` on all training rows, they are::

    task      classes   train   dev   test   chance   baseline
    ending          2    7717   962    921     0.50       0.69
    order           2   11048  1389   1312     0.50       0.82
    library         5    6483   803    779     0.20       0.77
    kind            3    5668   733    664     0.33       0.76
"""

import pandas as pd

from maskjax.errors import InputError
from maskjax.tasks.docstrings.ending import ending_rows
from maskjax.tasks.docstrings.order import order_rows
from maskjax.tasks.docstrings.sentences import Sentence, corpus, first_sentence, read_sentences
from maskjax.tasks.docstrings.splits import balance, deduplicate, split

__all__ = [
    "LABELS",
    "balance",
    "corpus",
    "deduplicate",
    "first_sentence",
    "load",
    "read_sentences",
    "split",
]

LABELS: dict[str, tuple[str, ...]] = {
    "ending": ("first", "second"),
    "order": ("first", "second"),
    "library": ("huggingface", "jax", "pandas", "python", "scipy"),
    "kind": ("class", "function", "method"),
}


def load(name: str) -> dict[str, pd.DataFrame]:
    """Loads a task.

    Args:
        name: A key of `LABELS`.

    Returns:
        The splits "train", "dev" and "test", each with the string columns `text` and `label`. In
        place of `text` "ending" has `beginning`, `first_ending` and `second_ending`, and "order"
        has `object`, `first_sentence` and `second_sentence`.

    Raises:
        InputError: If no task has this name.
    """
    match name:
        case "ending":
            return ending_rows(corpus())
        case "order":
            return order_rows(corpus())
        case "library" | "kind":
            return _label_rows(corpus(), name)
    raise InputError(f"No docstring task {name!r}; there are: {', '.join(LABELS)}.")


def _label_rows(sentences: tuple[Sentence, ...], name: str) -> dict[str, pd.DataFrame]:
    rows = [(sentence.text, getattr(sentence, name)) for sentence in sentences]
    return split(balance(deduplicate(pd.DataFrame(rows, columns=["text", "label"]))))
