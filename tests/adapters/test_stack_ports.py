"""Ports of the local stack: chosen once, remembered, and reported with their process if they are in use."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daybook_infra.stack.interface import StackError
from daybook_infra.stack.ports import (
    CANDIDATE_PORTS,
    LOOPBACK,
    check_free,
    is_free,
    next_free,
    release,
    remembered_ports,
)


@pytest.fixture
def used_port() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()[1]


def test_ports_are_chosen_once(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = remembered_ports(file, ("kafka", "postgres"))
    assert remembered_ports(file, ("kafka", "postgres")) == first
    assert len(set(first.values())) == 2
    assert all(port in CANDIDATE_PORTS for port in first.values())


def test_adding_a_name_keeps_the_known_ports(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = remembered_ports(file, ("kafka",))
    assert remembered_ports(file, ("postgres", "kafka"))["kafka"] == first["kafka"]


def test_a_chosen_port_is_reserved_for_this_process_until_its_server_starts(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    port = remembered_ports(file, ("kafka",))["kafka"]
    check_free(port, "Kafka", file)
    with pytest.raises(OSError, match="in use"), socket.create_server((LOOPBACK, port)):
        pass
    release(port)
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(port)


def test_a_port_in_use_is_reported_with_its_process(tmp_path: Path, used_port: int) -> None:
    with pytest.raises(StackError, match=rf"port {used_port}, remembered for Kafka .* \(pid {os.getpid()}\): end that"):
        check_free(used_port, "Kafka", tmp_path / "ports.json")


def test_a_port_in_time_wait_is_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)):
            served, _ = listener.accept()
            served.close()  # closes first, so that the server side is in TIME_WAIT
    assert is_free(port)


def test_the_next_free_port_skips_used_ports(used_port: int) -> None:
    assert next_free(used_port) > used_port
    assert next_free(used_port, besides=frozenset({used_port + 1})) > used_port + 1


@pytest.mark.parametrize("text", ["", "[]", "{", '{"kafka": "nine"}'])
def test_a_damaged_ports_file_is_a_clear_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ports.json"
    file.write_text(text)
    with pytest.raises(StackError, match=r"is damaged: delete it"):
        remembered_ports(file, ("kafka",))
