"""Which rows an operator asks for: parts of a tenancy and how many rows of it. How they are read is not known here."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Scope:
    """None: whichever. `limit`: the most rows that are wanted."""

    org_id: UUID | None
    project_id: UUID | None
    connection_id: UUID | None
    limit: int
