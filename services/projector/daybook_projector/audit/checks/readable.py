"""Whether bytes are a JSON object that a verifier reads (docs/verify.md, `unreadable`): bytes in, the object out."""

import json
from typing import Any, Final, NoReturn

from daybook_contracts.json.canonical import is_too_deep, parse_as_ecmascript

LONGEST: Final = 64 * 1024 * 1024
"""In bytes. No reader of the log unpacks a larger batch of records, so no entry is larger."""

_NOT_JSON: Final = (b"NaN", b"Infinity")


def readable_object(value: bytes) -> dict[str, Any] | None:
    """The object, with numbers as ECMAScript reads them; None if the bytes are not one JSON object, or if the object is
    nested too deeply. The object may have no canonical form.
    """
    if len(value) > LONGEST or is_too_deep(value):
        return None
    try:
        text = value.decode()
        parsed = parse_as_ecmascript(text)
        if any(name in value for name in _NOT_JSON):  # accepted by Python's parser
            json.loads(text, parse_constant=_refuse)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
