"""First ids cut to eight bits of their hash, so that they often collide. Finding a real collision takes about 2^37
tries, hours on one graphics card (infra/decisions/0018-second-ids.md).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from daybook_contracts.entries.identity import Identity


@contextmanager
def colliding_ids() -> Iterator[None]:
    """Cuts first ids for all code that runs in the block: writers, readers and judges. Second ids are not cut."""
    whole = Identity.first_id

    def cut(identity: Identity) -> str:
        return f"00000000-0000-8000-8000-0000000000{whole(identity)[-2:]}"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Identity, "first_id", cut)
        yield
