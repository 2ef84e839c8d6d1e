"""Defaults from environment variables. Where the `daybook` command line has the same setting, the name is the same."""

import os
from pathlib import Path

from daybook_client.errors import Misuse


def given(value: str | None, variable: str) -> str:
    """The value, or that of the variable. Raises Misuse if neither is set."""
    found = optional(value, variable)
    if found is None:
        raise Misuse(f"{variable} is not set: set it, or give the value as an argument")
    return found


def optional(value: str | None, variable: str) -> str | None:
    return value if value is not None else os.environ.get(variable) or None


def secret(value: str | None, variable: str) -> str | None:
    """Like `optional`, but if neither is set, reads the file whose path is in the variable with `_FILE` appended to its
    name. Raises Misuse if the file cannot be read.
    """
    found = optional(value, variable)
    file = os.environ.get(f"{variable}_FILE")
    if found is not None or not file:
        return found
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"{variable}_FILE: {file} cannot be read: {type(error).__name__}") from error
