"""A run of entries is taken as a whole, with the same result as entry by entry, or not at all."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybook_contracts.log.head import GENESIS
from daybook_projector.audit.checks import digest
from daybook_projector.audit.checks.chain import Chain
from support.altered_log import LENGTH, Change, a_log, altered, in_columns, in_metadata
from support.chains import findings, followed
from support.entry_mutations import mutated


@given(st.integers(0, LENGTH - 1), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_a_run_gives_the_same_result_as_entry_by_entry_or_is_not_taken(at: int, random: Random) -> None:
    values = a_log()
    values[at] = mutated(random, values[at])
    alone, each = followed(values)
    together = Chain(0, "export", is_folded=True)
    taken = together.extend_all([-1] * LENGTH, values)
    if taken is None:
        assert (together.head, together.entries, together.digest) == (GENESIS, 0, digest.EMPTY)
    else:
        assert taken == each
        assert state_of(together) == state_of(alone)


def test_an_honest_log_is_taken_as_one_run() -> None:
    alone, each = followed(a_log())
    together = Chain(0, "export", is_folded=True)
    assert together.extend_all([-1] * LENGTH, a_log()) == each
    assert state_of(together) == state_of(alone)


@pytest.mark.parametrize("at", range(LENGTH))
@pytest.mark.parametrize(
    "change",
    [
        in_columns(created_at="2026-11-22T15:10:13Z"),
        in_columns(created_at="2026-11-22T15:10:60.000000Z"),
        in_columns(created_at="2026-02-30T15:10:13.000000Z"),
        in_columns(created_at="2000-01-01T00:00:00.000000Z"),
        in_columns(entity_id="00000000-0000-4000-8000-00000000000A"),
        in_columns(org_id=""),
        in_columns(id="00000000-0000-4000-8000-000000000001"),
        in_columns(id=""),
        in_metadata(salt="AB" * 16),
        in_metadata(salt=None),
        in_metadata(commit="0" * 64),
        in_metadata(command_id="00000000-0000-7000-8000-0000000000ff"),
        in_metadata(ordinal=1),
        in_metadata(scope="policy"),
        in_metadata(partition=1),
        in_metadata(position=9),
        in_metadata(prev="0" * 64),
        in_metadata(data={"name": 1}),
    ],
)
def test_a_run_is_taken_only_if_it_has_no_findings(change: Change, at: int) -> None:
    values = altered(change, sealed=True, at=at)
    taken = Chain(0, "export").extend_all([-1] * LENGTH, values)
    assert (taken is None) == bool(findings(values))


def state_of(chain: Chain) -> tuple[Any, ...]:
    return chain.head, chain.head_offset, chain.entries, chain.digest, chain._created_at
