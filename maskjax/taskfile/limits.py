"""Limits of a task file, which writers check before they encode and readers before they decode."""

MAX_HEADER = 1 << 22
"""Bytes of the JSON header."""
MAX_VALUES = 200_000
"""JSON values of the header; a value takes at most about 120 bytes once it is parsed."""
MAX_ENTRIES = 8192
MAX_WEIGHTS = 2**32
"""Masked weights of one file: half a gigabyte of packed bits."""
MAX_NUMBERS = 2**30
"""Numbers in the arrays of one file."""
MAX_DIMENSIONS = 16
MAX_TEXT = 1000
"""Characters of a name, a path or a label."""
MAX_LABELS = 100_000
MAX_COLUMNS = 1000
"""Columns of texts or choices, splits with scores, rules."""
MAX_LENGTH = 1 << 20
"""Tokens of a row."""
