"""A service that is started as a mutant really lacks the protection that the mutant is named after."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from chaos.counterparts import COUNTERPARTS, Remove
from chaos.hunts import HUNTS, NOT_HUNTED
from chaos.mutated import program_without
from daybook_contracts.log.head import Head
from support.logbook import Logbook, user
from support.mutants import MUTANTS
from support.patching import Patch
from support.processes import PROGRAM, free_port, launch
from support.projecting import database, publish, until_projected
from support.stack import FreshSettings


@pytest.mark.e2e
@pytest.mark.parametrize(("started", "users"), [(PROGRAM, 1), (program_without("the check of `prev`"), 2)])
async def test_a_service_started_without_a_protection_lacks_it(
    started: Sequence[str], users: int, fresh_settings: FreshSettings, tmp_path: Path
) -> None:
    """The second of two entries has a wrong `prev`, so only a projector that does not check `prev` projects it."""
    log, settings = Logbook(), fresh_settings(partitions=1)
    first = log.register(user(1))
    log.heads[0] = Head(first.position, "ab" * 32)
    log.register(user(2))
    await publish(settings, log)
    service = launch(settings, "projector", tmp_path / "projector.log", free_port(), started)
    try:
        async with database(settings) as pool:
            await until_projected(pool, log)
            assert await pool.fetchval("SELECT count(*) FROM auth.users") == users
    finally:
        service.stop()


def test_every_mutant_of_the_simulation_is_hunted_or_listed_with_a_reason() -> None:
    assert sorted([*HUNTS, *NOT_HUNTED]) == sorted(mutant.lacks for mutant in MUTANTS)
    assert all(hunt.faults for hunt in HUNTS.values())


def test_a_removal_in_a_simulated_server_has_a_counterpart() -> None:
    simulated = {mutant.remove for mutant in MUTANTS if mutant.patch_summary.startswith("Simulated ")}
    assert simulated <= COUNTERPARTS.keys() <= {mutant.remove for mutant in MUTANTS}


@pytest.mark.parametrize("remove", [*COUNTERPARTS.values()], ids=lambda remove: remove.__name__)
def test_a_counterpart_can_be_applied(remove: Remove) -> None:
    with Patch.context() as patch:
        remove(patch)
