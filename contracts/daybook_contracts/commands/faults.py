"""What is wrong with a command, in words for people: field paths and rules, never values."""

from collections.abc import Sequence

import pydantic
from pydantic_core import ErrorDetails

_MOST_NAMED = 5  # faults in one answer
_LONGEST_KEY = 60  # a path quotes keys that the publisher chose


def fault_text(error: pydantic.ValidationError, *, under: tuple[str, ...] = (), owner: str = "command") -> str:
    """The first faults; `under` is the path to what was validated, `owner` what its fields belong to."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    named = [_fault(fault, under, owner) for fault in faults[:_MOST_NAMED]]
    more = len(faults) - len(named)
    return "; ".join([*named, f"and {more} more"] if more else named)


def dotted(path: Sequence[str | int]) -> str:
    """`data.ids.3` of a path; keys are cut where they are long."""
    return ".".join(_step(step) for step in path)


def _step(step: str | int) -> str:
    text = str(step)
    shown = text if len(text) <= _LONGEST_KEY else text[:_LONGEST_KEY] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown)


def _fault(fault: ErrorDetails, under: tuple[str, ...], owner: str) -> str:
    where = dotted((*under, *fault["loc"]))
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
