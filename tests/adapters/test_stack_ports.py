"""Ports of the local stack: chosen once, remembered, and named with their holder when somebody else has them."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daybook_infra.stack.interface import StackError
from daybook_infra.stack.ports import CHOICE, LOOPBACK, check_free, is_free, next_free, remembered


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()[1]


def test_ports_are_chosen_once_and_then_stay(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = remembered(file, ("kafka", "postgres"))
    assert remembered(file, ("kafka", "postgres")) == first
    assert len(set(first.values())) == 2
    assert all(port in CHOICE for port in first.values())


def test_a_new_name_leaves_the_known_ports_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = remembered(file, ("kafka",))
    assert remembered(file, ("postgres", "kafka"))["kafka"] == first["kafka"]


def test_a_taken_port_is_named_with_who_has_it(tmp_path: Path, taken: int) -> None:
    with pytest.raises(StackError, match=rf"port {taken}, remembered for Kafka .* \(pid {os.getpid()}\): end that"):
        check_free(taken, "Kafka", tmp_path / "ports.json")


def test_a_port_on_which_a_connection_lingers_is_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)):
            served, _ = listener.accept()
            served.close()  # first to close: this side goes through TIME_WAIT
    assert is_free(port)


def test_the_next_free_port_passes_over_those_taken(taken: int) -> None:
    assert next_free(taken) > taken
    assert next_free(taken, besides=frozenset({taken + 1})) > taken + 1


@pytest.mark.parametrize("text", ["", "[]", "{", '{"kafka": "nine"}'])
def test_a_damaged_ports_file_ends_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ports.json"
    file.write_text(text)
    with pytest.raises(StackError, match=r"is damaged: delete it"):
        remembered(file, ("kafka",))
