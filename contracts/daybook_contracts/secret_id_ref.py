"""The forms of a reference to a secret that lives elsewhere: a text in, whether it is one, or its one form, out."""

import re
from typing import Final

from daybook_contracts.ids import UUID_PATTERN
from daybook_contracts.text import uuid_text

UUID_ANY_CASE: Final = UUID_PATTERN.replace("a-f", "a-fA-F")
_VAULT: Final = "pgvault:"

SECRET_ID_REF: Final = re.compile(
    rf"{_VAULT}{UUID_ANY_CASE}"
    r"|aws-sm:arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}"
    # A slash inside, neither first nor last: written so that no long text makes it backtrack.
    r"|vault:[^#\s][^#\s/]*/[^#\s]+#[^@\s]+(@[0-9]+)?"
    r"|gcp-sm:projects/[^/\s]+/secrets/[^/\s]+/versions/(latest|[0-9]+)"
    r"|env:[A-Z_][A-Z0-9_]*"
)
# Ways to a place that does not begin as the reference does.
_DETOURS: Final = ("..", "//", "%")

JSON_SCHEMA_PATTERN: Final = rf"^(?!.*(\.\.|//|%))({SECRET_ID_REF.pattern})$"


def is_secret_id_ref(text: str) -> bool:
    return SECRET_ID_REF.fullmatch(text) is not None and not any(detour in text for detour in _DETOURS)


def secret_id_ref(text: str) -> str:
    """As it is stored, a vault's id in lower case; raises ValueError for anything but a reference."""
    if not is_secret_id_ref(text):
        raise ValueError(
            "must be a reference: pgvault:…, aws-sm:…, vault:…, gcp-sm:… or env:…, without `..`, `//` and `%`"
        )
    return _VAULT + uuid_text(text.removeprefix(_VAULT)) if text.startswith(_VAULT) else text
