"""Computed ids. An entry's ids are computed from its identity, so a repeated command cannot make a second entry. Ids
are UUIDs as lower-case text, and none is random.
"""

from functools import lru_cache
from hashlib import sha256
from typing import Final, Literal
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

FIRST_ID: Final = b"daybook-id/v1\n"
_SECOND_ID: Final = b"daybook-id/v2\n"
NO_ACTOR: Final = "0" * 32
_VARIANT: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""Maps each hex digit to the one whose upper two bits are 10, the variant of RFC 9562."""

Scope = Literal["org", "user", "outsider", "policy"]
"""Command ids are unique within a scope: the commands on one org, those on one user, those of one outsider, or
Daybook's own commands on one org.
"""


class Identity(Struct, frozen=True, gc=False, cache_hash=True):
    """What identifies an entry. Two records are of the same entry only if all parts are equal; equal ids are not
    enough.

    Ids are in lower-case canonical form, `actor` is None unless the scope is `outsider`, and `ordinal` is below 2**32.
    """

    scope: Scope
    key: str
    actor: str | None
    command_id: str
    ordinal: int = 0

    def first_id(self) -> str:
        r"""The entry's id, a UUIDv8: the first 6 bytes of the command id, then bytes 0..9 of
        SHA-256("daybook-id/v1\n" || parts), with version and variant set. With UUIDv7 command ids, new ids are close to
        each other in an index.
        """
        digest, command_id = sha256(self._preimage(FIRST_ID)).hexdigest(), self.command_id
        return f"{command_id[:13]}-8{digest[1:4]}-{_VARIANT[digest[4]]}{digest[5:8]}-{digest[8:20]}"

    def second_id(self) -> str:
        r"""A UUIDv8 of bytes 0..15 of SHA-256("daybook-id/v2\n" || parts): no sender can choose its 122 bits. It is the
        id of what the entry creates, and of the entry's row in `audit_log` if another entry's row has the first id.
        """
        digest = sha256(self._preimage(_SECOND_ID)).hexdigest()
        variant = _VARIANT[digest[16]]
        return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"

    def at(self, ordinal: int) -> "Identity":
        """The identity of another entry of the same command."""
        return self if ordinal == self.ordinal else replace(self, ordinal=ordinal)

    def _preimage(self, prefix: bytes) -> bytes:
        actor = NO_ACTOR if self.actor is None else self.actor
        ids = bytes.fromhex(f"{self.key}{actor}{self.command_id}".replace("-", ""))
        return b"%b%b\n%b%b" % (prefix, self.scope.encode(), ids, self.ordinal.to_bytes(4, "big"))


def thing_id(key: str, command_id: str) -> str:
    """The id of what a command on an org creates, unless a service chose one. Publishers can compute it in advance."""
    return Identity("org", key, None, command_id).second_id()


@lru_cache(maxsize=20_000)
def policy_alert_id(connection_id: str, rule: str) -> str:
    """The id of a policy's alert: the UUIDv5 of the rule, in the namespace of the connection. Because it is computed,
    one look-up by primary key tells whether the alert is open.
    """
    return str(uuid5(UUID(connection_id), rule))


def timeout_command_id(sync_run_id: str) -> str:
    """The id of the command that fails an overdue run, a UUIDv5. Because it is computed, the run fails only once, even
    if several instances send the command.
    """
    return str(uuid5(UUID(sync_run_id), "sync_stalled"))
