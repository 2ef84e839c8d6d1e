"""The pages on services: the example policy can be loaded, and the example program signs correctly."""

from pathlib import Path
from typing import Any

from daybook_command.shard.intake import SentCommand, classify
from daybook_command.shard.records import CommandRecord
from daybook_contracts.routing import partition_of
from daybook_contracts.senders.policy import ServicePolicy
from daybook_contracts.senders.principals import Service
from daybook_contracts.senders.sender_rules import SenderRules
from daybook_infra.runtime.services_file import load_service_policy
from daybook_infra.runtime.settings import Settings
from support.documents import blocks, page, section

DOOR_KEY = "the-key-of-the-door-32-characters"
ORG = "0199f000-0000-7000-8000-00000000b00c"
(EXAMPLE,) = blocks(section(page("docs/services.md"), "The policy"), "toml")
(PROGRAM,) = blocks(section(page("docs/topics.md"), "Signed records"), "python")
START = f"""{{"id": "0199f000-0000-7000-8000-000000000103", "type": "START_SYNC", "org_id": "{ORG}",
    "data": {{"connection_id": "0199f000-0000-7000-8000-000000000401"}}}}""".encode()


def load_example(folder: Path) -> ServicePolicy:
    file = folder / "services.toml"
    file.write_text(EXAMPLE.text, encoding="utf-8")
    file.chmod(0o600)
    policy = load_service_policy(Settings.model_validate({"services": str(file), "door_key": DOOR_KEY}))
    assert policy is not None
    return policy


def test_the_example_policy_can_be_loaded(tmp_path: Path) -> None:
    policy = load_example(tmp_path)
    assert sorted(policy.grants) == ["shop-worker", "sign-up", "web"]
    assert policy.grants["web"].act_for_users
    assert not policy.lists(Service("unnamed"))


def test_the_signature_of_the_example_program_is_valid(tmp_path: Path) -> None:
    policy = load_example(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(PROGRAM.text, "docs/topics.md", "exec"), names)  # noqa: S102 - the page's own lines are what is tested
    (key,) = policy.grants["shop-worker"].keys
    headers = names["headers"]("shop-worker", key.decode(), START)
    item = classify(CommandRecord(0, None, START, tuple(headers), 0), partition_of(ORG, 12), 12, SenderRules(policy))
    assert isinstance(item, SentCommand)
    assert item.principal == Service("shop-worker")
