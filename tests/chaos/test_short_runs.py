"""Two short chaos runs with fixed seeds. Together they inject every fault once. `make chaos` does longer runs."""

import logging
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from chaos.fault import Fault
from chaos.nemesis import FAULTS
from chaos.run import say
from chaos.short_ways import ShortWays
from chaos.trial import Plan, run_once

pytestmark = pytest.mark.e2e
HALVES = {20_261: FAULTS[::2], 20_262: FAULTS[1::2]}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", HALVES)
async def test_under_every_fault_each_command_is_decided_once_and_the_tables_match(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("aiokafka"), "disabled", True)  # it logs every fault

    def draw(random: Random) -> Sequence[Fault]:
        return random.sample(HALVES[seed], len(HALVES[seed]))

    verdict = await run_once(seed, Plan(draw, watch=ShortWays()), tmp_path, say)
    assert verdict.problems == [], f"seed {seed}, kept in {verdict.folder}:\n" + "\n".join(verdict.problems)
    assert set(verdict.faults) == {fault.name for fault in HALVES[seed]}
