"""The file of the service policy: what it grants, and how its faults are reported."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daybook_contracts.senders.policy import Grant, ServicePolicy
from daybook_contracts.senders.principals import Service
from daybook_infra.operations.service_key import service_key
from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.services_file import load_service_policy
from daybook_infra.runtime.settings import Settings, env_name
from support.variables import refusal_of

ORG = "00000000-0000-4000-8000-00000000000A"
KEY, DOOR_KEY = "hush-hush-a-key-of-32-characters", "hush-hush-the-key-of-the-door-ok"
Load = Callable[..., ServicePolicy | None]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a policy from its text."""

    def loaded(text: str | bytes, mode: int = 0o600, **settings: Any) -> ServicePolicy | None:
        file = tmp_path / "services.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(mode)
        return load_service_policy(Settings.model_validate({"services": str(file), "door_key": DOOR_KEY} | settings))

    return loaded


def test_a_table_is_read_as_a_grant(load: Load) -> None:
    policy = load(
        f"""
        [billing]
        commands = ["RENAME_ORG", "START_SYNC"]
        orgs = ["{ORG}"]
        act_for_users = true
        key = "{KEY}"
        [registrar]
        commands = ["REGISTER_USER"]
        [root]
        commands = "*"
        orgs = "*"
        key = ["{KEY[::-1]}", "{KEY.upper()}"]
        """
    )
    assert policy is not None
    assert policy.grants == {
        "billing": Grant(
            frozenset({"RENAME_ORG", "START_SYNC"}), frozenset({ORG.lower()}), act_for_users=True, keys=(KEY.encode(),)
        ),
        "registrar": Grant(frozenset({"REGISTER_USER"}), frozenset(), act_for_users=False),
        "root": Grant(None, None, act_for_users=False, keys=(KEY[::-1].encode(), KEY.upper().encode())),
    }
    assert policy.door_keys == (DOOR_KEY.encode(),)


def test_without_a_file_there_is_no_policy() -> None:
    assert load_service_policy(Settings()) is None


def test_an_empty_file_lists_no_service(load: Load) -> None:
    policy = load("")
    assert policy is not None
    assert not policy.lists(Service("billing"))


def test_a_second_door_key_is_accepted(load: Load) -> None:
    policy = load("", door_key_second=KEY)
    assert policy is not None
    assert policy.door_keys == (DOOR_KEY.encode(), KEY.encode())


def test_a_policy_needs_a_door_key(load: Load) -> None:
    with pytest.raises(SettingsError, match="DAYBOOK_DOOR_KEY is not set"):
        load("", door_key=None)


GOOD = 'commands = "*"\n'
FAULTS: dict[str, tuple[str | bytes, str]] = {
    "not TOML": ("[billing", r"is not TOML: at "),
    "a key in a line that is not TOML": (f'[billing]\nkey = "{KEY}\n', r"is not TOML: at line 2"),
    "not UTF-8": (b"\xff", "is not UTF-8"),
    "not a table": ('billing = "x"', "billing must be a table"),
    "an unknown key": (f"[billing]\n{GOOD}org = []", "billing.org is not a field of a service"),
    "a field by its inner name": (f"[billing]\n{GOOD}keys = []", "billing.keys is not a field of a service"),
    "no commands": ("[billing]", "billing.commands is required"),
    "an unknown command type": (
        '[billing]\ncommands = ["RENAME_ORG", "rename_org"]',
        "billing.commands item 2 is not a command",
    ),
    "a type for a list": ('[billing]\ncommands = "RENAME_ORG"', r'billing.commands must be "\*" or a list of strings'),
    "the star in a list": ('[billing]\ncommands = ["*"]', "billing.commands item 1 is not a command type"),
    "not an org": (f'[billing]\n{GOOD}orgs = ["x"]', "billing.orgs item 1 must be a UUID"),
    "the nil org": (f'[billing]\n{GOOD}orgs = ["{"0" * 8}-0000-0000-0000-{"0" * 12}"]', "billing.orgs item 1 must be"),
    "a number for an org": (f"[billing]\n{GOOD}orgs = [7]", r'billing.orgs must be "\*" or a list of strings'),
    "not a boolean": (f'[billing]\n{GOOD}act_for_users = "yes"', "billing.act_for_users must be true or false"),
    "a number for a boolean": (f"[billing]\n{GOOD}act_for_users = 1", "billing.act_for_users must be true or false"),
    "a short key": (f'[billing]\n{GOOD}key = "hush"', "billing.key must have at least 32 characters"),
    "a key with a space": (f'[billing]\n{GOOD}key = "{KEY} "', "billing.key must have at least 32 characters"),
    "an empty list of keys": (f"[billing]\n{GOOD}key = []", "billing.key must be a key, or a list"),
    "three keys": (f'[billing]\n{GOOD}key = ["{KEY}", "{KEY}", "{KEY}"]', "billing.key must be a key, or a list"),
    "a number for a key": (f"[billing]\n{GOOD}key = [7]", "billing.key must hold strings"),
    "a bad name": (f"[Billing]\n{GOOD}", "Billing is not a valid name of a service"),
    "the reserved name": (f"[daybook]\n{GOOD}", "daybook is reserved"),
    "a key for unnamed": (f'[unnamed]\n{GOOD}key = "{KEY}"', "unnamed.key must be absent"),
    "one key for two": (f'[a]\n{GOOD}key = "{KEY}"\n[b]\n{GOOD}key = "{KEY}"', "b.key equals a.key: each needs"),
    "the door's key": (f'[a]\n{GOOD}key = "{DOOR_KEY}"', "a.key equals DAYBOOK_DOOR_KEY: each needs a key of its own"),
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_names_file_service_and_field_but_no_value(load: Load, text: str | bytes, fault: str) -> None:
    with pytest.raises(SettingsError, match=f"^DAYBOOK_SERVICES: .*services.toml: {fault}") as refused:
        load(text)
    assert "hush" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_every_fault_is_reported_on_its_own_line(load: Load) -> None:
    with pytest.raises(SettingsError) as refused:
        load('[a]\ncommands = "x"\norgs = "x"\n[b]\nkey = "x"')
    assert len(str(refused.value).splitlines()) == 4


@pytest.mark.parametrize("setting", ["jwt_secret", "service_jwt_secret", "door_key_second"])
def test_a_service_key_must_differ_from_every_other_secret(load: Load, setting: str) -> None:
    with pytest.raises(SettingsError, match=f"a.key equals DAYBOOK_{setting.upper()}"):
        load(f'[a]\n{GOOD}key = "{KEY}"', **{setting: KEY})


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o644, 0o666])
def test_a_file_with_keys_that_others_can_access_is_refused(load: Load, mode: int) -> None:
    with pytest.raises(SettingsError, match="holds keys, and others can read or write it: chmod 600"):
        load(f'[a]\n{GOOD}key = "{KEY}"', mode)


def test_a_file_without_keys_may_be_world_readable_but_not_world_writable(load: Load) -> None:
    assert load(f"[a]\n{GOOD}", 0o644) is not None
    with pytest.raises(SettingsError, match="can be written by everybody"):
        load(f"[a]\n{GOOD}", 0o646)


def test_a_file_with_keys_may_be_group_readable(load: Load) -> None:
    assert load(f'[a]\n{GOOD}key = "{KEY}"', 0o440) is not None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    settings = Settings.model_validate({"services": str(tmp_path / "none"), "door_key": DOOR_KEY})
    with pytest.raises(SettingsError, match=r"DAYBOOK_SERVICES: .*none: cannot be read: No such file"):
        load_service_policy(settings)


@pytest.mark.parametrize("setting", ["door_key", "door_key_second", "service_key"])
def test_a_short_signing_key_is_refused_without_being_shown(setting: str) -> None:
    variable = env_name(setting)
    refusal = refusal_of(**{variable: "hush-hush"})
    assert refusal == f"{variable}: must have at least 32 characters, printable ASCII without spaces"


def test_a_key_file_takes_precedence_over_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    settings = Settings.model_validate({"service_key": DOOR_KEY})
    assert service_key(settings, file) == KEY.encode()
    assert service_key(settings, None) == DOOR_KEY.encode()
    assert service_key(Settings(), None) is None


@pytest.mark.parametrize(
    ("content", "fault"), [(b"hush", "holds no key: it must have at least 32"), (b"\xff" * 32, "it is not UTF-8")]
)
def test_a_file_without_a_valid_key_is_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=fault) as refused:
        service_key(Settings(), file)
    assert "hush" not in str(refused.value)
    with pytest.raises(SettingsError, match="none cannot be read: No such file"):
        service_key(Settings(), tmp_path / "none")
