"""Folds one success entry about connections or secret references into an org.

Raises KeyError where the data names what is not there.
"""

from dataclasses import replace
from hashlib import sha256
from typing import TypeVar, assert_never

import msgspec
from immutables import Map
from msgspec import Raw, UnsetType

from daybook_command.domain.state import Activity, Connection, DeadLetter, Org, Run, SecretRef
from daybook_contracts.connection_types.configs import key_names_of
from daybook_contracts.entries.facts import (
    ConnectionActivated,
    ConnectionCreated,
    ConnectionDeactivated,
    ConnectionDeleted,
    ConnectionUpdated,
    SecretRefCreated,
    SecretRefDeleted,
    SecretRefRotated,
)

ConnectionChange = (
    ConnectionCreated | ConnectionUpdated | ConnectionActivated | ConnectionDeactivated | ConnectionDeleted
)
SecretRefChange = SecretRefCreated | SecretRefRotated | SecretRefDeleted

OfConnection = TypeVar("OfConnection", Run, DeadLetter)


def evolve_connections(org: Org, fact: ConnectionChange) -> Org:
    match fact:
        case ConnectionCreated():
            return _with_connection(org, fact.connection_id, _created(fact))
        case ConnectionUpdated():
            return _with_connection(org, fact.connection_id, _updated(org.connections[fact.connection_id], fact))
        case ConnectionActivated():
            return _switched(org, fact.connection_id, active=True)
        case ConnectionDeactivated():
            return _switched(org, fact.connection_id, active=False)
        case ConnectionDeleted():
            return _without_connection(org, fact.connection_id)
        case _:
            assert_never(fact)


def _created(fact: ConnectionCreated) -> Connection:
    """Its activity is known from the start: nothing has happened yet."""
    return Connection(
        project_id=fact.project_id,
        type=fact.type,
        name=fact.name,
        active=True,
        key_names=_key_names(fact.config),
        activity=Activity(config=_digest(fact.config)),
    )


def _updated(connection: Connection, fact: ConnectionUpdated) -> Connection:
    named = connection if isinstance(fact.name, UnsetType) else replace(connection, name=fact.name)
    if isinstance(fact.config, UnsetType):
        return named
    activity = named.activity and replace(named.activity, config=_digest(fact.config))
    return replace(named, key_names=_key_names(fact.config), activity=activity)


def _digest(config: Raw) -> bytes:
    return sha256(bytes(config)).digest()


def _key_names(config: Raw) -> frozenset[str]:
    return key_names_of(msgspec.json.decode(config))


def _switched(org: Org, connection_id: str, *, active: bool) -> Org:
    return _with_connection(org, connection_id, replace(org.connections[connection_id], active=active))


def _with_connection(org: Org, connection_id: str, connection: Connection) -> Org:
    return replace(org, connections=org.connections.set(connection_id, connection))


def _without_connection(org: Org, connection_id: str) -> Org:
    """Its runs and dead letters go with it; its alerts have entries of their own."""
    return replace(
        org,
        connections=org.connections.delete(connection_id),
        runs=_without_those_of(connection_id, org.runs),
        dead_letters=_without_those_of(connection_id, org.dead_letters),
    )


def _without_those_of(connection_id: str, here: Map[str, OfConnection]) -> Map[str, OfConnection]:
    for id_, child in here.items():
        if child.connection_id == connection_id:
            here = here.delete(id_)
    return here


def evolve_secret_refs(org: Org, fact: SecretRefChange) -> Org:
    match fact:
        case SecretRefCreated():
            made = SecretRef(fact.key_name, _reference_digest(fact.secret_id_ref))
            key_names = org.key_names.set(fact.key_name, fact.secret_ref_id)
            return replace(org, secret_refs=org.secret_refs.set(fact.secret_ref_id, made), key_names=key_names)
        case SecretRefRotated():
            rotated = replace(org.secret_refs[fact.secret_ref_id], digest=_reference_digest(fact.secret_id_ref))
            return replace(org, secret_refs=org.secret_refs.set(fact.secret_ref_id, rotated))
        case SecretRefDeleted():
            key_names = org.key_names.delete(org.secret_refs[fact.secret_ref_id].key_name)
            return replace(org, secret_refs=org.secret_refs.delete(fact.secret_ref_id), key_names=key_names)
        case _:
            assert_never(fact)


def _reference_digest(secret_id_ref: str) -> bytes:
    return sha256(secret_id_ref.encode()).digest()
