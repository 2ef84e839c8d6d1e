"""Finds free ports. Stores the servers' ports in a file, so that addresses stay valid after a restart."""

import atexit
import errno
import json
import random
import socket
from contextlib import closing
from pathlib import Path

import psutil

from daybook_infra.stack.interface import StackError
from daybook_infra.stack.places import EVERYBODY_READS, write_file

LOOPBACK = "127.0.0.1"
# Below the range of outgoing connections on Linux and macOS, so that no such connection takes a stored port.
CANDIDATE_PORTS = range(20_000, 30_000)
TRIES = 200
PORTS_TRIED_IN_A_ROW = 100
# Sockets that hold the ports that this process has chosen, so that no other process chooses them before `release`.
_reserved: dict[int, socket.socket] = {}


def is_free(port: int) -> bool:
    """Whether a server that this process starts can listen on the port."""
    if port in _reserved:
        return True
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # Servers set this option too. With it, a closed connection in TIME_WAIT does not occupy the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True


def next_free(port: int, besides: frozenset[int] = frozenset()) -> int:
    """The first free port from `port` upwards. Raises `StackError` if a hundred in a row are taken."""
    for candidate in range(port, port + PORTS_TRIED_IN_A_ROW):
        if candidate not in besides and is_free(candidate):
            return candidate
    last = port + PORTS_TRIED_IN_A_ROW - 1
    raise StackError(f"the ports {port} to {last} are all taken: stop some of the programs that use them")


def remembered_ports(file: Path, names: tuple[str, ...]) -> dict[str, int]:
    """The ports stored under these names. Missing ones are chosen and stored."""
    known = _read_ports(file)
    missing = [name for name in names if name not in known]
    for name in missing:
        known[name] = _choose_port(frozenset(known.values()))
    if missing:
        write_file(file, json.dumps(known, indent=2) + "\n", EVERYBODY_READS)
    return {name: known[name] for name in names}


def check_free(port: int, title: str, file: Path) -> None:
    if not is_free(port):
        raise StackError(
            f"port {port}, remembered for {title} in {file}, is taken{_holder_text(port)}: "
            f"end that program; or run `daybook stack down` and delete {file}, and new ports are chosen"
        )


def release(*ports: int) -> None:
    """Call it just before a server starts to listen on the ports, or when no server is going to."""
    for port in ports:
        reservation = _reserved.pop(port, None)
        if reservation is not None:
            reservation.close()


@atexit.register
def _release_all() -> None:
    release(*list(_reserved))


def _read_ports(file: Path) -> dict[str, int]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): int(port) for name, port in found.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError):
        raise StackError(f"{file} is damaged: delete it, and new ports are chosen") from None


def _choose_port(besides: frozenset[int]) -> int:
    draw = random.SystemRandom()
    for _ in range(TRIES):
        port = draw.choice(CANDIDATE_PORTS)
        if port not in besides and _reserve(port):
            return port
    raise StackError(
        f"no free port found between {CANDIDATE_PORTS.start} and {CANDIDATE_PORTS.stop - 1}: end some servers"
    )


def _reserve(port: int) -> bool:
    """Holds the port for this process. Returns False if it is taken."""
    reservation = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        reservation.bind((LOOPBACK, port))
    except OSError:
        reservation.close()
        return False
    _reserved[port] = reservation
    return True


def _holder_text(port: int) -> str:
    """The program that listens there, if this user may know it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})" if connection.pid else ""
    except psutil.Error:
        return ""
    return ""
