"""secret_refs: an org's names for secrets that are stored elsewhere. Holds references, never secrets."""

from collections.abc import Iterable

from daybook_contracts.entries.facts import SecretRefCreated, SecretRefDeleted, SecretRefRotated
from daybook_projector.projections.changes import Change, Delete, Insert, Table, Update
from daybook_projector.projections.rule import Columns, Rules

SECRET_REFS = Table(
    "public.secret_refs",
    key=("id",),
    columns={"id": "uuid", "org_id": "uuid", "key_name": "text", "secret_id_ref": "text"},
    unique=("org_id", "key_name"),
)


def created(entry: Columns, fact: SecretRefCreated) -> Iterable[Change]:
    row = {
        "id": fact.secret_ref_id,
        "org_id": entry.org_id,
        "key_name": fact.key_name,
        "secret_id_ref": fact.secret_id_ref,
    }
    return (Insert(SECRET_REFS, row),)


def rotated(_entry: Columns, fact: SecretRefRotated) -> Iterable[Change]:
    return (Update(SECRET_REFS, (fact.secret_ref_id,), {"secret_id_ref": fact.secret_id_ref}),)


def deleted(_entry: Columns, fact: SecretRefDeleted) -> Iterable[Change]:
    return (Delete(SECRET_REFS, (fact.secret_ref_id,)),)


RULES: Rules = {SecretRefCreated: created, SecretRefRotated: rotated, SecretRefDeleted: deleted}
