"""What a person sees while a command works: a line that moves on a terminal, lines in a log file.

A command opens a `Progress`. What it calls counts work with `counted` and `tracked`, says with
`announced` what is about to take long, and prints other lines with `notify`; without a `Progress`
these do nothing. A line of `warn` is then a warning in the log.
"""

from maskjax.progress.counter import Counter
from maskjax.progress.display import Progress, announced, counted, encodable, notify, tracked, warn

__all__ = ["Counter", "Progress", "announced", "counted", "encodable", "notify", "tracked", "warn"]
