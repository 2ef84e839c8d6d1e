"""A command back into bytes: the normalised envelope and its data, both as RFC 8785 has them."""

from daybook_contracts.canonical import canonical_bytes
from daybook_contracts.commands.registry import Command


def data_json(command: Command) -> bytes:
    """The JCS bytes of the normalised data; what the request's hash is taken over."""
    return canonical_bytes(command.data.to_json())


def normalised_bytes(command: Command) -> bytes:
    """The JCS bytes of the normalised envelope; what the HTTP door publishes."""
    # Ids and types need no escapes, so only the data goes through the encoder.
    head = f'{{"actor_user_id":{_quoted(command.actor_user_id)},"data":'
    tail = f',"id":"{command.id}","org_id":{_quoted(command.org_id)},"type":"{command.type}"}}'
    return head.encode() + data_json(command) + tail.encode()


def _quoted(identifier: str | None) -> str:
    return "null" if identifier is None else f'"{identifier}"'
