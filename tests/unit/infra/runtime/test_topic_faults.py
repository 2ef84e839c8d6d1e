"""Topics: what is checked of each, and how a fault reads."""

import pytest

from daybook_infra.runtime.kafka.topics import Seen, TopicSpec, faults, topic_specs
from daybook_infra.runtime.settings import Settings

SETTINGS = Settings()
SPECS = {spec.name: spec for spec in topic_specs(SETTINGS)}
LOG = SPECS["daybook.audit_log"]


def seen(spec: TopicSpec, *, partitions: int = 12, replicas: int = 1, **configs: str) -> Seen:
    changed = {key.replace("_", "."): value for key, value in configs.items()}
    return Seen(partitions, replicas, {**spec.checked, **spec.chosen, **changed})


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_a_topic_as_it_is_made_has_no_fault(spec: TopicSpec) -> None:
    assert faults(SETTINGS, spec, seen(spec)) == []


def test_the_sizes_are_the_contracts() -> None:
    sizes = {name: int(spec.checked["max.message.bytes"]) for name, spec in SPECS.items()}
    assert sizes == {
        "daybook.commands": 4_194_304,
        "daybook.audit_log": 4_194_304,
        "daybook.results": 4_194_304,
        "daybook.commands.dlq": 5_242_880,
    }


def test_a_missing_topic_is_named() -> None:
    assert faults(SETTINGS, LOG, None) == ["topic daybook.audit_log does not exist (run `daybook init`)"]


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (seen(LOG, partitions=6), "has 6 partitions, DAYBOOK_PARTITIONS says 12"),
        (seen(LOG, max_message_bytes="1048588"), "has max.message.bytes=1048588, needs 4194304"),
        (seen(LOG, unclean_leader_election_enable="true"), "has unclean.leader.election.enable=true, needs false"),
        (seen(LOG, cleanup_policy="compact"), "has cleanup.policy=compact, needs delete"),
        (seen(LOG, retention_ms="604800000"), "has retention.ms=604800000, needs -1"),
        (seen(LOG, retention_bytes="1000"), "has retention.bytes=1000, needs -1"),
    ],
)
def test_what_endangers_the_log_is_a_fault(wrong: Seen, fault: str) -> None:
    assert faults(SETTINGS, LOG, wrong) == [f"topic daybook.audit_log {fault}"]


def test_fewer_copies_than_asked_for_are_faults() -> None:
    settings = Settings(replication_factor=3, min_insync_replicas=2)
    spec = next(spec for spec in topic_specs(settings) if spec.name == LOG.name)
    assert faults(settings, spec, seen(spec, replicas=1, min_insync_replicas="1")) == [
        "topic daybook.audit_log has 1 replicas, needs 3",
        "topic daybook.audit_log has min.insync.replicas below 2",
    ]
