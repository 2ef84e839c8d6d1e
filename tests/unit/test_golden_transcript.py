"""Every byte of the entries and answers of 10,000 commands is as recorded in `tests/golden/transcript.txt`.
support.golden says how to look into a difference and how to record an intended change.
"""

from collections import defaultdict

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import COMMANDS
from support import golden
from support.golden import EXTERNAL, MANAGED, Line
from support.workload_kinds import WITHOUT_EFFECT

NOT_OF_A_SHARD = {
    Code.UNAUTHENTICATED: "only the HTTP door checks tokens",
    Code.TOO_MANY_REQUESTS: "only the HTTP door counts requests",
    Code.NOT_FOUND: "only for paths and outcomes looked up over HTTP",
    Code.UNAVAILABLE: "only the HTTP door, when Kafka or PostgreSQL is away",
    Code.INVALID_QUERY: "only the read API",
    Code.NOT_PROJECTED: "only the read API",
}


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return golden.transcript()


@pytest.fixture(scope="module")
def outcomes(lines: list[Line]) -> dict[str, set[str]]:
    """The outcomes of each command type."""
    found = defaultdict[str, set[str]](set)
    for line in lines:
        if line.kind:
            found[line.kind].add(line.outcome)
    return found


def test_nothing_differs_from_the_golden_transcript(lines: list[Line]) -> None:
    differs = golden.difference(lines)
    assert differs is None, differs


def test_every_command_has_a_line(lines: list[Line]) -> None:
    assert [line.number for line in lines if line.kind] == list(range(MANAGED + EXTERNAL))
    silent = sum(line.outcome == "silent" for line in lines)
    assert silent < 100, "only a few commands may ask for no reply and write no entry"


def test_every_type_is_accepted_and_rejected(outcomes: dict[str, set[str]]) -> None:
    codes = {code.value for code in Code}
    assert {kind for kind, found in outcomes.items() if "accepted" in found} == COMMANDS.keys()
    assert {kind for kind, found in outcomes.items() if found & codes and not kind.startswith("(")} == COMMANDS.keys()
    assert {kind for kind, found in outcomes.items() if "accepted unchanged" in found} >= WITHOUT_EFFECT


def test_every_code_of_a_shard_appears(outcomes: dict[str, set[str]]) -> None:
    found = set().union(*outcomes.values())
    assert found == {code.value for code in Code} - NOT_OF_A_SHARD.keys() | {
        "accepted",
        "accepted unchanged",
        "repeated",
        "silent",
    }


@pytest.mark.parametrize(
    "told",
    [
        "report 0 lost",
        "report 0 unknown",
        "report 0 refused",
        "report 0 void",
        "poison",
        "user_gone",
        "hold 0",
        "go on 0",
        "publish daybook.commands/",
        "forwarded once already",
        "too large to be kept here",
        "unfolds to more than 64 MiB",
        '"action":"ESCALATE_ALERT"',
        '"error_message":"TIMED_OUT"',
        '"remaining":26',
        "it was decided, and this version cannot read its result",
        "it was set aside",
        "does not let service:narrow send",
        "does not let service:narrow act for users",
        "the record's signature is missing or wrong",
        "must begin with vault:kv/hub/",
        '"scope":"outsider"',
        "voids [('not_canonical', 1)]",
    ],
)
def test_faults_and_special_cases_occur(lines: list[Line], told: str) -> None:
    assert any(told in note for line in lines for note in line.notes)
