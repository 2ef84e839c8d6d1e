"""References to secrets that are stored elsewhere: their forms, and the prefix that all references of an org need."""

import re
from typing import Final

from daybook_contracts.text import UUID_PATTERN, uuid_text

UUID_ANY_CASE: Final = UUID_PATTERN.replace("a-f", "a-fA-F")
_VAULT: Final = "pgvault:"
ENVIRONMENT: Final = "env:"
_ORG: Final = "{org_id}"

SECRET_ID_REF: Final = re.compile(
    rf"{_VAULT}{UUID_ANY_CASE}"
    r"|aws-sm:arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}"
    # The path needs a slash that is neither first nor last. It is written so that a long text causes no backtracking.
    r"|vault:[^#\s][^#\s/]*/[^#\s]+#[^@\s]+(@[0-9]+)?"
    r"|gcp-sm:projects/[^/\s]+/secrets/[^/\s]+/versions/(latest|[0-9]+)"
    r"|env:[A-Z_][A-Z0-9_]*"
)
# With one of these, a reference could point to a secret outside its prefix.
_DETOURS: Final = ("..", "//", "%")

JSON_SCHEMA_PATTERN: Final = rf"^(?!.*(\.\.|//|%))({SECRET_ID_REF.pattern})$"


def is_secret_id_ref(text: str) -> bool:
    return SECRET_ID_REF.fullmatch(text) is not None and not any(detour in text for detour in _DETOURS)


def secret_id_ref(text: str) -> str:
    """The reference as Daybook stores it: the id of a `pgvault:` is in lower case. Raises ValueError if the text is not
    a reference.
    """
    if not is_secret_id_ref(text):
        raise ValueError(
            "must be a reference: pgvault:…, aws-sm:…, vault:…, gcp-sm:… or env:…, without `..`, `//` and `%`"
        )
    return _VAULT + uuid_text(text.removeprefix(_VAULT)) if text.startswith(_VAULT) else text


# One reference of each form. A prefix is valid if it and the end of one of them together are a reference.
_SAMPLES: Final = (
    f"{_VAULT}00000000-0000-4000-8000-000000000001",
    "aws-sm:arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:shop/hottok-AbCdEf",
    "vault:kv/shop/hotmart#hottok",
    "gcp-sm:projects/shop/secrets/hottok/versions/1",
    f"{ENVIRONMENT}SHOP_HOTTOK",
)


def expanded_prefix(template: str, org_id: str) -> str:
    """The prefix that all references of the org must have."""
    return template.replace(_ORG, org_id)


def checked_prefix(template: str) -> str:
    """The template itself. Raises ValueError if no reference can start with such a prefix."""
    if {"{", "}"} & set(template.replace(_ORG, "")):
        raise ValueError(f"{_ORG} is the only placeholder that is allowed")
    prefix = expanded_prefix(template, "0199f000-0000-7000-8000-00000000b00c")
    endings = (sample[at:] for sample in _SAMPLES for at in range(len(sample) + 1))
    if not any(_is_stored_with(prefix, prefix + ending) for ending in endings):
        raise ValueError(f"no secret reference can start with this prefix; use one such as vault:kv/{_ORG}/")
    return template


def _is_stored_with(prefix: str, text: str) -> bool:
    """Whether the text is a reference that has the prefix as Daybook stores it, with the id of a `pgvault:` in lower
    case.
    """
    try:
        return secret_id_ref(text).startswith(prefix)
    except ValueError:
        return False
