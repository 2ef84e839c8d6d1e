"""Topics: which configs are checked, and how faults are reported."""

import pytest

from daybook_infra.runtime.kafka.topic_rules import TopicSpec, TopicState, topic_faults, topic_specs
from daybook_infra.runtime.settings import Settings

SETTINGS = Settings()
SPECS = {spec.name: spec for spec in topic_specs(SETTINGS)}
LOG = SPECS["daybook.audit_log"]


def described(spec: TopicSpec, *, partitions: int = 12, replicas: int = 1, **configs: str) -> TopicState:
    changed = {key.replace("_", "."): value for key, value in configs.items()}
    return TopicState(partitions, replicas, {**spec.checked, **spec.chosen, **changed})


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_a_topic_that_matches_its_spec_has_no_fault(spec: TopicSpec) -> None:
    assert topic_faults(SETTINGS, spec, described(spec)) == []


def test_the_message_sizes_are_those_of_the_contract() -> None:
    sizes = {name: int(spec.checked["max.message.bytes"]) for name, spec in SPECS.items()}
    assert sizes == {
        "daybook.commands": 4_194_304,
        "daybook.audit_log": 4_194_304,
        "daybook.results": 4_194_304,
        "daybook.commands.dlq": 5_242_880,
    }


def test_a_missing_topic_is_named() -> None:
    assert topic_faults(SETTINGS, LOG, None) == ["topic daybook.audit_log does not exist (run `daybook init`)"]


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (described(LOG, partitions=6), "has 6 partitions, DAYBOOK_PARTITIONS says 12"),
        (described(LOG, max_message_bytes="1048588"), "has max.message.bytes=1048588, needs 4194304"),
        (described(LOG, unclean_leader_election_enable="true"), "has unclean.leader.election.enable=true, needs false"),
        (described(LOG, cleanup_policy="compact"), "has cleanup.policy=compact, needs delete"),
        (described(LOG, retention_ms="604800000"), "has retention.ms=604800000, needs -1"),
        (described(LOG, retention_bytes="1000"), "has retention.bytes=1000, needs -1"),
    ],
)
def test_a_config_that_endangers_the_log_is_a_fault(wrong: TopicState, fault: str) -> None:
    assert topic_faults(SETTINGS, LOG, wrong) == [f"topic daybook.audit_log {fault}"]


def test_too_few_replicas_are_faults() -> None:
    settings = Settings(replication_factor=3, min_insync_replicas=2)
    spec = next(spec for spec in topic_specs(settings) if spec.name == LOG.name)
    assert topic_faults(settings, spec, described(spec, replicas=1, min_insync_replicas="1")) == [
        "topic daybook.audit_log has 1 replicas, needs 3",
        "topic daybook.audit_log has min.insync.replicas below 2",
    ]
