"""Tells people what is wrong with a command. The texts name fields and rules, never values."""

import re
from collections.abc import Callable, Iterator, Sequence

import pydantic
from pydantic_core import ErrorDetails

from daybook_contracts.codes import Code
from daybook_contracts.secrets.redaction import REDACTED, redacted
from daybook_contracts.text import printable


class InvalidCommand(Exception):
    """A command that is refused at the edge: it is neither decided nor logged.

    `detail` names the field and the rule, never a value. `command_id` is set if the id could be read. `too_large` makes
    the HTTP door answer 413.
    """

    def __init__(self, code: Code, detail: str, command_id: str | None = None, *, too_large: bool = False) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.command_id = command_id
        self.too_large = too_large


_MAX_FAULTS = 5  # in one answer
_FIELD_NAME = re.compile("[a-z][a-z_]{0,39}")
_LONGEST_KEY = 60  # characters; a path quotes keys that the publisher chose
_LONGEST_SCANNED = 4096  # characters; a longer key is not searched for secrets but replaced as a whole
_LONGEST_PATH = 40  # keys and indexes; longer than any valid path, but the path of a secret may be longer


def fault_text(error: pydantic.ValidationError) -> str:
    """Describes the first faults of a command."""
    return _join_faults(error, lambda fault: _describe(fault, fault["loc"], "command"))


def config_fault_text(error: pydantic.ValidationError) -> str:
    """Describes the first faults of a config. The text is logged, so it quotes only keys that look like field names."""
    return _join_faults(
        error, lambda fault: _describe(fault, ("data", "config", *_quotable(fault["loc"])), "connection type")
    )


def _join_faults(error: pydantic.ValidationError, describe: Callable[[ErrorDetails], str]) -> str:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    described = [describe(fault) for fault in faults[:_MAX_FAULTS]]
    more = len(faults) - len(described)
    return "; ".join([*described, f"and {more} more"] if more else described)


def dotted_path(path: Sequence[str | int]) -> str:
    """A path as text, such as `data.ids.3`. Cuts long keys and long paths, and redacts a secret in a key."""
    steps = [printable(_without_secret(str(step)), _LONGEST_KEY) for step in path[:_LONGEST_PATH]]
    return ".".join(steps if len(path) <= _LONGEST_PATH else [*steps, "…"])


def _without_secret(key: str) -> str:
    return redacted(key) if len(key) <= _LONGEST_SCANNED else REDACTED


def _quotable(path: Sequence[str | int]) -> Iterator[str | int]:
    for step in path:
        yield step if isinstance(step, int) or _FIELD_NAME.fullmatch(step) else "(a key)"


def _describe(fault: ErrorDetails, path: Sequence[str | int], owner: str) -> str:
    where = dotted_path(path)
    match fault["type"]:
        case "missing":
            return f"{where} is required"
        case "extra_forbidden":
            return f"{where} is not a field of this {owner}"
        case "model_type" | "dict_type":
            return f"{where} must be an object"
        case "tuple_type":
            return f"{where} must be an array"
        case "none_required":
            return f"{where} must be absent"
        case _:
            return f"{where} {fault['msg'].removeprefix('Value error, ').replace('Input should', 'should')}"
