"""Computed ids: an entry's ids follow from what identifies it, so repeating a command cannot make a second entry.
Enters: scope, routing key, actor, command id, ordinal. Leaves: UUIDs as lower-case text. Draws nothing at random.
"""

from hashlib import sha256
from typing import Final, Literal, NamedTuple
from uuid import UUID, uuid5

_FIRST: Final = b"daybook-id/v1\n"
_SECOND: Final = b"daybook-id/v2\n"
_NO_ACTOR: Final = "0" * 32
_VARIANT: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""A hex digit with its upper two bits set to RFC 9562's variant, 10."""


Scope = Literal["org", "user", "outsider", "policy"]
"""Whose ids an entry uses up: an org's, a user's, one outsider's, or those of the service's own commands."""


class Identity(NamedTuple):
    """What identifies an entry; two entries are the same one only if all parts are equal, whatever their ids.

    All ids in lower-case canonical form; `actor` is None unless the scope is `outsider`; `ordinal` is below 2**32.
    """

    scope: Scope
    key: str
    actor: str | None
    command_id: str
    ordinal: int = 0

    def first_id(self) -> str:
        r"""The entry's id, a UUIDv8: the first 6 bytes of the command id, so that UUIDv7 command ids keep index pages
        warm, then bytes 0..9 of SHA-256("daybook-id/v1\n" || parts), cut to fit around version and variant.
        """
        digest = sha256(_FIRST + self._parts()).hexdigest()
        return f"{self.command_id[:13]}-8{digest[1:4]}-{_VARIANT[digest[4]]}{digest[5:8]}-{digest[8:20]}"

    def second_id(self) -> str:
        r"""A UUIDv8 of bytes 0..15 of SHA-256("daybook-id/v2\n" || parts): 122 bits that nobody can choose. The id of
        what the entry creates, and of the entry's row in `audit_log` where another entry's row has its first id.
        """
        digest = sha256(_SECOND + self._parts()).hexdigest()
        variant = _VARIANT[digest[16]]
        return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"

    def at(self, ordinal: int) -> "Identity":
        """Of another entry of the same command."""
        return self._replace(ordinal=ordinal)

    def _parts(self) -> bytes:
        actor = _NO_ACTOR if self.actor is None else self.actor
        ids = bytes.fromhex(f"{self.key}{actor}{self.command_id}".replace("-", ""))
        return b"%b\n%b%b" % (self.scope.encode(), ids, self.ordinal.to_bytes(4, "big"))


def thing_id(key: str, command_id: str) -> str:
    """The id of what a command on an org creates, unless a service chose one: a publisher can know it beforehand."""
    return Identity("org", key, None, command_id).second_id()


def policy_alert_id(connection_id: str, rule: str) -> str:
    """The UUIDv5 of a policy's alert, in the namespace of its connection: whether it is open is one look-up by key."""
    return str(uuid5(UUID(connection_id), rule))


def timeout_command_id(sync_run_id: str) -> str:
    """The UUIDv5 of the command that fails an overdue run: whoever owns the partition, it happens once."""
    return str(uuid5(UUID(sync_run_id), "sync_stalled"))
