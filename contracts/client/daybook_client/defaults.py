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
    name, without the line breaks at its end, as Daybook's services do. Raises Misuse if the file is empty or cannot be
    read, or if both variables are set.
    """
    found, setting = optional(value, variable), f"{variable}_FILE"
    file = os.environ.get(setting)
    if value is not None or not file:
        return found
    if found is not None:
        raise Misuse(f"{variable} and {setting} are both set: unset one of them")
    try:
        text = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"{setting}: {file} cannot be read: {type(error).__name__}") from error
    if not text:
        raise Misuse(f"{setting}: {file} is empty")
    return text
