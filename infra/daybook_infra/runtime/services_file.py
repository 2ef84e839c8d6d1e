"""Reads the file that DAYBOOK_SERVICES names: TOML in, a service policy or every fault out. A fault names the file, the
service and the field, but no value, because the file contains keys.
"""

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, SecretStr, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.senders.policy import Grant, ServicePolicy
from daybook_contracts.senders.principals import DAYBOOK, SERVICE_NAME, UNNAMED
from daybook_contracts.text import printable, uuid_text
from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.key_rules import check_signing_key
from daybook_infra.runtime.settings import Settings, env_name

ALL: Final = "*"
# A service has one key, and a second one while its key is changed.
MOST_KEYS: Final = 2
# Permissions that a file with keys must not have. Its group may read it: mounted secrets often belong to root and are
# read through the service's group.
_OPEN_TO_OTHERS: Final = stat.S_IRWXO | stat.S_IWGRP
_WORDING: Final = {
    "missing": "is required",
    "extra_forbidden": "is not a field of a service",
    "model_type": "must be a table",
    "bool_type": "must be true or false",
}


def load_service_policy(settings: Settings) -> ServicePolicy | None:
    """None if no file is set. Raises `SettingsError` with one line for each fault."""
    if not settings.services:
        return None
    if settings.door_key is None:
        raise SettingsError(
            f"{env_name('door_key')} is not set: with {env_name('services')} the HTTP door signs what it publishes; "
            "give all instances the same key"
        )
    path = Path(settings.services)
    tables = _parse_tables(path, _read_file(path))
    faults = [*_name_faults(tables), *_shared_key_faults(tables, settings)]
    if faults:
        raise _policy_error(path, faults)
    grants = {name: Grant(each.commands, each.orgs, each.act_for_users, each.keys) for name, each in tables.items()}
    door_keys = [key for key in (settings.door_key, settings.door_key_second) if key is not None]
    return ServicePolicy(grants, tuple(key.get_secret_value().encode() for key in door_keys))


def _string_list(value: object) -> Sequence[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError('must be "*" or a list of strings')
    return value


def _parse_command_types(value: object) -> frozenset[str] | None:
    if value == ALL:
        return None
    types = _string_list(value)
    for number, type_ in enumerate(types, start=1):
        if type_ not in COMMANDS:
            raise ValueError(f"item {number} is not a command type")
    return frozenset(types)


def _parse_org_ids(value: object) -> frozenset[str] | None:
    if value == ALL:
        return None
    ids = []
    for number, text in enumerate(_string_list(value), start=1):
        try:
            ids.append(uuid_text(text))
        except ValueError as error:
            raise ValueError(f"item {number} {error}") from None
    return frozenset(ids)


def _parse_keys(value: object) -> tuple[bytes, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_KEYS:
        raise ValueError("must be a key, or a list of one or two keys")
    if not all(isinstance(key, str) for key in given):
        raise ValueError("must hold strings")
    return tuple(check_signing_key(key).encode() for key in given)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    commands: Annotated[frozenset[str] | None, PlainValidator(_parse_command_types)]
    orgs: Annotated[frozenset[str] | None, PlainValidator(_parse_org_ids)] = frozenset()
    act_for_users: bool = False
    keys: Annotated[tuple[bytes, ...], PlainValidator(_parse_keys)] = Field((), alias="key", repr=False)


_TABLES: Final = TypeAdapter(dict[str, _Table])


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read().decode()
    except OSError as error:
        raise _policy_error(path, [f"cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise _policy_error(path, ["is not UTF-8"]) from None
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _policy_error(path, [f"is not TOML: {_place_in_file(error)}"]) from None
    if _holds_key(parsed) and mode & _OPEN_TO_OTHERS:
        raise _policy_error(
            path, ["holds keys, and others can read or write it: chmod 600, or 640 for a group that reads it"]
        )
    if mode & stat.S_IWOTH:
        raise _policy_error(path, ["can be written by everybody: chmod o-w"])
    return parsed


def _place_in_file(error: tomllib.TOMLDecodeError) -> str:
    """Only line and column, because the rest of the message may quote the file."""
    found = re.search(r"\((at .*)\)$", str(error))
    return found[1] if found else "it cannot be parsed"


def _holds_key(parsed: Mapping[str, Any]) -> bool:
    return any(isinstance(table, dict) and "key" in table for table in parsed.values())


def _parse_tables(path: Path, parsed: dict[str, Any]) -> dict[str, _Table]:
    try:
        return _TABLES.validate_python(parsed)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        raise _policy_error(path, [_fault_text(fault) for fault in faults]) from None


def _fault_text(fault: ErrorDetails) -> str:
    where = ".".join(printable(str(step), 80) for step in fault["loc"])
    return f"{where} {_WORDING.get(fault['type'], fault['msg'].removeprefix('Value error, '))}"


def _name_faults(tables: Mapping[str, _Table]) -> Iterator[str]:
    for name, table in tables.items():
        if SERVICE_NAME.fullmatch(name) is None:
            yield f"{printable(name, 80)} is not a valid name of a service: it must match {SERVICE_NAME.pattern}"
        if name == DAYBOOK.name:
            yield f"{name} is reserved: no service may have this name"
        if name == UNNAMED.name and table.keys:
            yield f"{name}.key must be absent: {name} stands for records without a valid signature"


def _shared_key_faults(tables: Mapping[str, _Table], settings: Settings) -> Iterator[str]:
    """Faults for equal keys: two services with the same key could act as each other."""
    owners: dict[bytes, str] = {}
    for field in ("door_key", "door_key_second", "jwt_secret", "service_jwt_secret"):
        secret: SecretStr | None = getattr(settings, field)
        if secret is not None:
            owners.setdefault(secret.get_secret_value().encode(), env_name(field))
    for name, table in tables.items():
        for key in table.keys:
            owner = owners.setdefault(key, f"{name}.key")
            if owner != f"{name}.key":
                yield f"{name}.key equals {owner}: each needs a key of its own"


def _policy_error(path: Path, faults: Sequence[str]) -> SettingsError:
    return SettingsError("\n".join(f"{env_name('services')}: {path}: {fault}" for fault in faults))
