"""Defaults from the environment, under the names that Daybook's own command line uses, and a few more."""

import os
from pathlib import Path

from daybook_client.errors import Misuse


def given(value: str | None, variable: str) -> str:
    """The value, else the variable's. Raises Misuse if neither is set."""
    found = optional(value, variable)
    if found is None:
        raise Misuse(f"{variable} is not set: set it, or give the value as an argument")
    return found


def optional(value: str | None, variable: str) -> str | None:
    return value if value is not None else os.environ.get(variable) or None


def secret(value: str | None, variable: str) -> str | None:
    """As `optional`, or the content of the file that the variable with `_FILE` names. Raises Misuse if it cannot be
    read.
    """
    found = optional(value, variable)
    file = os.environ.get(f"{variable}_FILE")
    if found is not None or not file:
        return found
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"{variable}_FILE: {file} cannot be read: {type(error).__name__}") from error
