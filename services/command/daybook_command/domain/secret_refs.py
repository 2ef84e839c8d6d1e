"""Secret references: names in an org for secrets that are stored elsewhere."""

from hashlib import sha256
from typing import Final

from msgspec import UNSET, Struct
from msgspec.structs import replace

from daybook_command.domain import rejections
from daybook_command.domain.decision import DecisionContext, Rejection
from daybook_command.domain.handlers import OrgFold, OrgHandler, Ruling, Subject, Target, Thing, ThingHandler, is_taken
from daybook_command.domain.permissions import ORG_ADMINS, Standings, org_standings
from daybook_command.domain.references import Named, chosen_id
from daybook_command.domain.state import Org
from daybook_contracts.commands.secret_refs import CreateSecretRef, DeleteSecretRef, RotateSecretRef
from daybook_contracts.entries.facts import SecretRefCreated, SecretRefDeleted, SecretRefRotated
from daybook_contracts.limits import ORG_SECRET_REFS


class SecretRef(Struct, frozen=True, gc=False):
    key_name: str
    digest: bytes
    """SHA-256 of `secret_id_ref`."""


def _new_secret_ref(command: CreateSecretRef, new_id: str, _org: Org | None) -> Target:
    return Target("secret_ref", command.data.secret_ref_id or new_id)


def _named_by_create(command: CreateSecretRef) -> Named:
    return Named(chosen=chosen_id("secret_refs", command.data.secret_ref_id))


def _target(command: RotateSecretRef | DeleteSecretRef, _new_id: str, _org: Org | None) -> Target:
    return Target("secret_ref", command.data.secret_ref_id)


def _rights(command: RotateSecretRef | DeleteSecretRef, org: Org, _: SecretRef) -> Standings:
    return org_standings(command, org)


def _find_secret_ref(command: RotateSecretRef | DeleteSecretRef, org: Org) -> SecretRef | Rejection:
    return org.secret_refs.get(command.data.secret_ref_id, rejections.SECRET_REF_NOT_FOUND)


def create_secret_ref(command: CreateSecretRef, org: Org, context: DecisionContext) -> Ruling:
    data = command.data
    secret_ref_id = data.secret_ref_id or context.new_id
    if is_taken(secret_ref_id, org.secret_refs, context):
        return rejections.ID_TAKEN
    if data.key_name in org.key_names:
        return rejections.KEY_NAME_TAKEN
    if len(org.secret_refs) >= ORG_SECRET_REFS:
        return rejections.SECRET_REFS_LIMIT
    return SecretRefCreated(key_name=data.key_name, secret_id_ref=data.secret_id_ref, secret_ref_id=secret_ref_id)


def rotate_secret_ref(command: RotateSecretRef, _org: Org, present: SecretRef, _: DecisionContext) -> Ruling:
    secret_ref_id, secret_id_ref = command.data.secret_ref_id, command.data.secret_id_ref
    changed = False if _digest(secret_id_ref) == present.digest else UNSET
    return SecretRefRotated(changed=changed, secret_id_ref=secret_id_ref, secret_ref_id=secret_ref_id)


def delete_secret_ref(command: DeleteSecretRef, org: Org, present: SecretRef, _: DecisionContext) -> Ruling:
    if any(present.key_name in connection.key_names for connection in org.connections.values()):
        return rejections.SECRET_REF_IN_USE
    return SecretRefDeleted(secret_ref_id=command.data.secret_ref_id)


def _digest(secret_id_ref: str) -> bytes:
    return sha256(secret_id_ref.encode()).digest()


def _created(org: Org, fact: SecretRefCreated) -> Org:
    created = SecretRef(fact.key_name, _digest(fact.secret_id_ref))
    key_names = org.key_names.set(fact.key_name, fact.secret_ref_id)
    return replace(org, secret_refs=org.secret_refs.set(fact.secret_ref_id, created), key_names=key_names)


def _rotated(org: Org, fact: SecretRefRotated) -> Org:
    rotated = replace(org.secret_refs[fact.secret_ref_id], digest=_digest(fact.secret_id_ref))
    return replace(org, secret_refs=org.secret_refs.set(fact.secret_ref_id, rotated))


def _deleted(org: Org, fact: SecretRefDeleted) -> Org:
    key_names = org.key_names.delete(org.secret_refs[fact.secret_ref_id].key_name)
    return replace(org, secret_refs=org.secret_refs.delete(fact.secret_ref_id), key_names=key_names)


_NEW_SECRET_REF = Subject(_new_secret_ref, _named_by_create)
_SECRET_REF = Thing(_target, find=_find_secret_ref, rights=_rights)

HANDLERS: Final = (
    OrgHandler(CreateSecretRef, ORG_ADMINS, _NEW_SECRET_REF, org_standings, create_secret_ref),
    ThingHandler(RotateSecretRef, ORG_ADMINS, _SECRET_REF, rotate_secret_ref),
    ThingHandler(DeleteSecretRef, ORG_ADMINS, _SECRET_REF, delete_secret_ref),
)
FOLDS: Final = (
    OrgFold(SecretRefCreated, _created),
    OrgFold(SecretRefRotated, _rotated),
    OrgFold(SecretRefDeleted, _deleted),
)
