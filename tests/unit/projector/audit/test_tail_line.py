"""The lines of `daybook audit tail`."""

import json

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.log.admission import Admitted
from daybook_contracts.log.head import Head
from daybook_projector.audit.exports.tail_line import show_json, show_json_on_terminal, show_text
from support.logbook import Logbook, log_with, org, user

ORG, ANN = org(1), user(1)


def last_of(log: Logbook) -> Admitted:
    value = log.records[0][-1]
    assert value is not None
    return Admitted(log.heads[0], value, None)


def test_an_accepted_command_is_shown_with_its_position_and_actor() -> None:
    log = log_with(ORG)
    log.add(ORG, ANN, facts.OrgRenamed(name="b"), principal="service:test")
    created_at = json.loads(last_of(log).value)["created_at"]
    expected = f"{created_at} 0.2 success RENAME_ORG org {ORG} org {ORG} by service:test for {ANN}\n"
    assert show_text(last_of(log)).decode() == expected


def test_a_rejected_command_is_shown_with_its_code() -> None:
    log = log_with(ORG)
    log.refuse(ORG, ANN, "ADD_MEMBER", ANN, {"user_id": ANN})
    assert " 0.2 FORBIDDEN ADD_MEMBER " in show_text(last_of(log)).decode()


def test_a_user_who_is_both_sender_and_actor_is_shown_once() -> None:
    log = log_with(ORG)
    log.add(ORG, ANN, facts.OrgRenamed(name="b"))
    assert show_text(last_of(log)).decode().endswith(f" by user:{ANN}\n")


def test_json_is_the_entry_itself() -> None:
    log = log_with(ORG)
    assert show_json(last_of(log)) == last_of(log).value + b"\n"


def test_json_on_a_terminal_has_no_raw_control_characters() -> None:
    name = "a\x7f\x9b2J\u202e\u2028\U000e0001é€\n"
    log = log_with(ORG)
    log.add(ORG, ANN, facts.OrgRenamed(name=name))
    line = show_json_on_terminal(last_of(log)).decode()
    assert line.rstrip("\n").isprintable()
    assert "é€" in line
    assert json.loads(line) == json.loads(last_of(log).value)


@pytest.mark.parametrize(
    "value", [b'{"metadata_json":{"partition":3}}', b'{"metadata_json":{"partition":3},"action":1}']
)
def test_an_entry_that_cannot_be_read_is_shown_too(value: bytes) -> None:
    assert show_text(Admitted(Head(7, ""), value, None)) == b"3.7 cannot be read as an entry\n"


def test_control_characters_in_an_entry_do_not_reach_the_terminal() -> None:
    log = log_with(ORG)
    value = last_of(log).value.replace(b'"CREATE_ORG"', b'"\\u001b[2J\\nx"')
    line = show_text(Admitted(Head(0, ""), value, None)).decode()
    assert line.isprintable() or line.rstrip("\n").isprintable()
    assert line.count("\n") == 1
