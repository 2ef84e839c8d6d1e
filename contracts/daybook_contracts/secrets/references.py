"""The forms of a reference to a secret that lives elsewhere, and what the references of one org begin with."""

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


# One of each form. A prefix is possible if it can be continued as one of them ends.
_SAMPLES: Final = (
    f"{_VAULT}00000000-0000-4000-8000-000000000001",
    "aws-sm:arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:shop/hottok-AbCdEf",
    "vault:kv/shop/hotmart#hottok",
    "gcp-sm:projects/shop/secrets/hottok/versions/1",
    f"{ENVIRONMENT}SHOP_HOTTOK",
)


def expanded_prefix(template: str, org_id: str) -> str:
    """What every reference of the org begins with."""
    return template.replace(_ORG, org_id)


def checked_prefix(template: str) -> str:
    """The template itself; raises ValueError for one that no reference could ever begin with."""
    if {"{", "}"} & set(template.replace(_ORG, "")):
        raise ValueError(f"{_ORG} is the only placeholder there is")
    prefix = expanded_prefix(template, "0199f000-0000-7000-8000-00000000b00c")
    endings = (sample[at:] for sample in _SAMPLES for at in range(len(sample) + 1))
    if not any(is_secret_id_ref(prefix + ending) for ending in endings):
        raise ValueError(f"no secret reference could begin so; write it as in vault:kv/{_ORG}/")
    return template
