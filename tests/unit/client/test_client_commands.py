"""The client's command classes, which are generated from the contracts' models."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from daybook_client import Misuse, commands, new_id_of
from daybook_client.command import Command, Creates
from daybook_contracts.commands.normalised import normalised_bytes
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import COMMANDS
from support.documents import ROOT

GENERATOR = ROOT / "contracts" / "client" / "generate_commands.py"
SAMPLES = sorted((ROOT / "contracts" / "samples" / "commands").glob("*.expected.json"))
CLASSES: dict[str, Any] = {
    each.TYPE: each
    for each in vars(commands).values()
    if hasattr(each, "TYPE") and each.__module__ == commands.__name__
}


def from_envelope(envelope: dict[str, Any]) -> Command:
    """The client's command with the fields of an envelope."""
    data = dict(envelope["data"])
    if isinstance(data.get("filter"), dict):
        data["filter"] = commands.PendingFilter(**data["filter"])
    around = {name: envelope[name] for name in ("id", "org_id", "actor_user_id") if envelope.get(name) is not None}
    made: Command = CLASSES[envelope["type"]](**around, **data)
    return made


def test_there_is_a_class_for_each_command() -> None:
    assert list(CLASSES) == list(COMMANDS)


def test_the_generated_classes_are_up_to_date() -> None:
    check = subprocess.run([sys.executable, GENERATOR, "--check"], capture_output=True, text=True, check=False)
    assert (check.returncode, check.stdout) == (0, "")


def test_a_class_that_differs_from_its_model_is_reported(tmp_path: Path) -> None:
    package = tmp_path / "daybook_client"
    package.mkdir()
    (tmp_path / GENERATOR.name).write_text(GENERATOR.read_text("utf-8"), "utf-8")
    text = Path(commands.__file__).read_text("utf-8")
    (package / "commands.py").write_text(text.replace("name: str", "title: str", 1), "utf-8")
    copy = [sys.executable, str(tmp_path / GENERATOR.name), "--check"]
    check = subprocess.run(copy, capture_output=True, text=True, check=False)
    assert (check.returncode, check.stdout) == (1, "out of date: commands.py\n")


@pytest.mark.parametrize("sample", SAMPLES, ids=[path.name for path in SAMPLES])
def test_a_command_reaches_daybook_as_the_golden_sample(sample: Path) -> None:
    expected = json.loads(sample.read_text("utf-8"))["normalised"]
    command = from_envelope(json.loads(expected))
    assert normalised_bytes(parse_command(command.to_json())).decode() == expected


def test_ids_may_be_uuid_objects() -> None:
    org, user = uuid4(), uuid4()
    envelope = json.loads(commands.AddMember(org_id=org, user_id=user, role="member").to_json())
    assert (envelope["org_id"], envelope["data"]["user_id"]) == (str(org), str(user))


def test_a_payload_of_null_is_sent() -> None:
    command = commands.RecordDlqEvent(org_id=uuid4(), connection_id=uuid4(), payload=None)
    assert json.loads(command.to_json())["data"]["payload"] is None


@pytest.mark.parametrize("payload", [float("nan"), {1, 2}, "\ud800"])
def test_a_value_that_is_not_json_is_misuse(payload: Any) -> None:
    with pytest.raises(Misuse):
        commands.RecordDlqEvent(org_id=uuid4(), connection_id=uuid4(), payload=payload).to_json()


def test_a_command_keeps_its_id_when_it_is_sent_again() -> None:
    command = commands.RenameOrg(org_id=uuid4(), name="x")
    assert json.loads(command.to_json())["id"] == json.loads(command.to_json())["id"] == command.id
    assert UUID(command.id).version == 7
    assert commands.RenameOrg(org_id=uuid4(), name="x").id != command.id


def test_the_id_of_a_new_thing_is_known_in_advance() -> None:
    k, c = "00000000-0000-4000-8000-000000000001", "01890000-0000-7000-8000-000000000002"
    assert new_id_of(commands.CreateProject(id=c, org_id=k, name="x")) == "e62023e5-9523-89c6-84c9-b8c2c8976564"
    assert new_id_of(commands.CreateProject(id=c.upper(), org_id=UUID(k), name="x", project_id=c.upper())) == c
    assert new_id_of(commands.CreateOrg(org_id=k, name="x")) == k
    assert new_id_of(commands.RegisterUser(user_id=k)) == k


def test_a_command_that_creates_nothing_has_no_new_id() -> None:
    chosen = {kind for kind, each in CLASSES.items() if issubclass(each, Creates)}
    assert chosen == {kind for kind in COMMANDS if kind.startswith(("CREATE_", "REGISTER_", "START_", "RAISE_"))} | {
        "RECORD_DLQ_EVENT"
    }
    assert all(CLASSES[kind].NEW_ID in CLASSES[kind].__struct_fields__ for kind in chosen)
    with pytest.raises(Misuse):
        new_id_of(commands.RenameOrg(org_id=uuid4(), name="x"))  # type: ignore[arg-type]
