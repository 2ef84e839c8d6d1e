"""Decides on secret references: names of the org for secrets that live elsewhere."""

from hashlib import sha256

from msgspec import UNSET

from daybook_command.domain import rejections
from daybook_command.domain.decision import Decision, DecisionContext
from daybook_command.domain.permissions import in_org, may, may_choose
from daybook_command.domain.state import Org
from daybook_command.domain.targets import accepted, is_taken
from daybook_contracts.commands.secret_refs import CreateSecretRef, DeleteSecretRef, RotateSecretRef
from daybook_contracts.entries.facts import SecretRefCreated, SecretRefDeleted, SecretRefRotated
from daybook_contracts.limits import ORG_SECRET_REFS


def create_secret_ref(command: CreateSecretRef, org: Org, context: DecisionContext) -> Decision:
    data, chosen = command.data, command.data.secret_ref_id
    if not may(command.type, in_org(org, command.actor_user_id)):
        return rejections.FORBIDDEN
    if not may_choose(chosen, context.principal):
        return rejections.CHOSEN_ID
    secret_ref_id = chosen or context.new_id
    if is_taken(secret_ref_id, org.secret_refs, context):
        return rejections.ID_TAKEN
    if data.key_name in org.key_names:
        return rejections.KEY_NAME_TAKEN
    if len(org.secret_refs) >= ORG_SECRET_REFS:
        return rejections.SECRET_REFS_LIMIT
    created = SecretRefCreated(key_name=data.key_name, secret_id_ref=data.secret_id_ref, secret_ref_id=secret_ref_id)
    return accepted(command, org, context, created)


def rotate_secret_ref(command: RotateSecretRef, org: Org, context: DecisionContext) -> Decision:
    secret_ref_id, secret_id_ref = command.data.secret_ref_id, command.data.secret_id_ref
    present = org.secret_refs.get(secret_ref_id)
    if present is None:
        return rejections.SECRET_REF_NOT_FOUND
    if not may(command.type, in_org(org, command.actor_user_id)):
        return rejections.FORBIDDEN
    same = sha256(secret_id_ref.encode()).digest() == present.digest
    rotated = SecretRefRotated(
        changed=False if same else UNSET, secret_id_ref=secret_id_ref, secret_ref_id=secret_ref_id
    )
    return accepted(command, org, context, rotated)


def delete_secret_ref(command: DeleteSecretRef, org: Org, context: DecisionContext) -> Decision:
    present = org.secret_refs.get(command.data.secret_ref_id)
    if present is None:
        return rejections.SECRET_REF_NOT_FOUND
    if not may(command.type, in_org(org, command.actor_user_id)):
        return rejections.FORBIDDEN
    if any(present.key_name in connection.key_names for connection in org.connections.values()):
        return rejections.SECRET_REF_IN_USE
    return accepted(command, org, context, SecretRefDeleted(secret_ref_id=command.data.secret_ref_id))
