"""What schemathesis must know of the APIs: which refusals no JSON Schema can describe."""

from typing import Any, Final

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData

# Why requests are refused that the document allows.
BEYOND_SCHEMAS: Final = (
    "id and Idempotency-Key name two different commands",
    "neither nil nor max",
    "must not be a UUIDv8",
    "must not be a UUIDv5",
    "must not hold control characters",
    "characters after trimming",
    "data must give ",
    "NUL in a string",
    "cursor: not one of this collection",
)


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """False for failures that are none."""
    return not isinstance(failure, RejectedPositiveData) or not any(
        reason in response.text for reason in BEYOND_SCHEMAS
    )
