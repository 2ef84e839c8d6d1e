"""Defaults from the environment: the variables of Daybook's own command line, and three of the client's own."""

import os

from daybook_client.errors import Misuse


def given(value: str | None, variable: str) -> str:
    """The value, else the variable's. Raises Misuse if neither is set."""
    found = optional(value, variable)
    if found is None:
        raise Misuse(f"{variable} is not set: set it, or give the value as an argument")
    return found


def optional(value: str | None, variable: str) -> str | None:
    return value if value is not None else os.environ.get(variable) or None
