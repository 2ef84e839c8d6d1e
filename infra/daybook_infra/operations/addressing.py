"""Reads a command's id and routing key from its JSON. The rest of the command is validated by the command service."""

from dataclasses import dataclass

import msgspec

from daybook_contracts.codes import Code
from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.results import Rejected, problem
from daybook_contracts.text import is_uuid


@dataclass(frozen=True, slots=True)
class AddressedCommand:
    """`raw` is published unchanged; the ids are in lower case."""

    raw: bytes
    command_id: str
    key: str

    @property
    def location(self) -> str:
        """The path of the outcome at the HTTP door."""
        return f"/v1/orgs/{self.key}/commands/{self.command_id}"


class _Envelope(msgspec.Struct):
    id: object = None
    type: object = None
    org_id: object = None
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Data(msgspec.Struct):
    user_id: object = None


def address(raw: bytes) -> AddressedCommand | Rejected:
    """Reads one command's id and key. Returns a rejection (INVALID_COMMAND) if the command cannot be published: it is
    too large, is not JSON, or lacks an id or a routing key.
    """
    if len(raw) > ENVELOPE_BYTES:
        return problem(Code.INVALID_COMMAND, f"the envelope is larger than {ENVELOPE_BYTES} bytes", status=413)
    try:
        envelope = msgspec.json.decode(raw, type=_Envelope)
        user = msgspec.json.decode(envelope.data, type=_Data).user_id if envelope.type == "REGISTER_USER" else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return problem(Code.INVALID_COMMAND, f"not an envelope: {error}")
    command_id = _lower_case_uuid(envelope.id)
    if command_id is None:
        return problem(Code.INVALID_COMMAND, "id: must be a UUID")
    key = _lower_case_uuid(user if envelope.type == "REGISTER_USER" else envelope.org_id)
    if key is None:
        field = "data.user_id" if envelope.type == "REGISTER_USER" else "org_id"
        return problem(Code.INVALID_COMMAND, f"{field}: must be a UUID", command_id=command_id)
    return AddressedCommand(raw, command_id, key)


def _lower_case_uuid(value: object) -> str | None:
    return value.lower() if isinstance(value, str) and is_uuid(value) else None
