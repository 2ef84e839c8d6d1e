"""Builds the headers that name and prove a command's sender: a record's value in, headers out. No I/O."""

from dataclasses import dataclass, field

from daybook_contracts.senders.principals import Principal, sign
from daybook_contracts.topics import DOOR, PRINCIPAL, SIGNATURE, Headers


@dataclass(frozen=True, slots=True)
class Signer:
    """`door` names the door that the command came through; empty if none. Without a `key`, records are not signed."""

    principal: Principal
    key: bytes | None = field(repr=False)
    door: bytes = b""

    def headers(self, value: bytes) -> Headers:
        principal = str(self.principal).encode()
        headers = [(PRINCIPAL, principal)]
        if self.door:
            headers.append((DOOR, self.door))
        if self.key is not None:
            headers.append((SIGNATURE, sign(self.key, principal, self.door, value)))
        return headers
