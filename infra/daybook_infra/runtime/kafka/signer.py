"""Says in a command's headers who sends it, and proves it: a record's value in, headers out. No I/O."""

from dataclasses import dataclass, field

from daybook_contracts.senders.principals import Principal, sign
from daybook_contracts.topics import DOOR, PRINCIPAL, SIGNATURE, Headers


@dataclass(frozen=True, slots=True)
class Signer:
    """`door` is empty where the command came through none. Without a `key` nothing is signed."""

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
