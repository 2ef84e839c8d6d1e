"""Turns an `Idempotency-Key` header into a command id."""

from uuid import NAMESPACE_OID, uuid5

from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.limits import IDEMPOTENCY_KEY_LENGTH
from daybook_contracts.senders.principals import Principal
from daybook_contracts.text import is_uuid, uuid_text


def id_of_idempotency_key(principal: Principal, header: str) -> str:
    """The command id. If the key is a UUID, that is the id. For any other key of 1 to 255 characters, the id is the
    UUIDv5, in NAMESPACE_OID, of the principal, a newline and the key. The header may have quotes around the key. Raises
    InvalidCommand.
    """
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH:
        detail = f"Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_LENGTH} characters"
        raise InvalidCommand(Code.INVALID_COMMAND, detail)
    if not is_uuid(key):
        return str(uuid5(NAMESPACE_OID, f"{principal}\n{key}"))
    try:
        return uuid_text(key)
    except ValueError as error:
        raise InvalidCommand(Code.INVALID_COMMAND, f"Idempotency-Key {error}") from error
