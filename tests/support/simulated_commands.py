"""Random commands for a whole simulated system: the hub's and the memberships', of three orgs in two partitions.
Some come twice, and a few ids come again with other content.
"""

from itertools import count
from uuid import UUID

from daybook_contracts.routing import partition_of
from support.hub_commands import OWNER, Data, Drawn

PARTITIONS = 2
PEOPLE = [OWNER, *(str(UUID(int=0x20 + number, version=4)) for number in range(3))]
ROLES = ["owner", "admin", "member", "viewer"]


def _orgs_in(*partitions: int) -> list[str]:
    """An org in each of these partitions."""
    ids = (str(UUID(int=0x1000 + number, version=4)) for number in count())
    return [next(id_ for id_ in ids if partition_of(id_, PARTITIONS) == partition) for partition in partitions]


class Everything(Drawn):
    def __init__(self, seed: int) -> None:
        super().__init__(seed, _orgs_in(0, 1, 1))
        self._kinds |= {
            "RENAME_ORG": (4, lambda _: {"name": self._word()}),
            "ADD_MEMBER": (12, lambda _: {**self._person(), "role": self._draw.choice(ROLES)}),
            "UPDATE_MEMBER": (6, lambda _: {**self._person(), "role": self._draw.choice(ROLES)}),
            "REMOVE_MEMBER": (8, lambda _: self._person()),
        }

    def _envelopes(self, count: int) -> list[Data]:
        envelopes = super()._envelopes(count)
        for at in range(1, len(envelopes)):
            if self._draw.random() < 0.02:
                envelopes[at] = {**envelopes[at], "id": self._draw.choice(envelopes[:at])["id"]}
        return envelopes

    def _envelope(self, kind: str, org: int, actor: str | None, data: Data) -> Data:
        if kind == "RENAME_ORG" or kind.endswith("_MEMBER"):
            actor = self._draw.choice([OWNER, OWNER, *PEOPLE])
        return super()._envelope(kind, org, actor, data)

    def _person(self) -> Data:
        return {"user_id": self._draw.choice(PEOPLE)}
