"""Raw sockets to a tiny running service, for HTTP requests that no well-behaved client would send."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from support.processes import free_port, sum_of

PROGRAM = Path(__file__).with_name("tiny_service.py")
MIB = 1024 * 1024


@dataclass(slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Tiny:
    port: int
    process: psutil.Process

    def connect(self, seconds: float = 10, receive_buffer: int | None = None, source: str = "127.0.0.1") -> "Raw":
        raw = socket.socket()
        raw.settimeout(seconds)
        if receive_buffer is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.bind((source, 0))
        try:
            raw.connect(("127.0.0.1", self.port))
        except OSError:
            raw.close()
            raise
        return Raw(raw)

    def get(self, path: str, seconds: float = 10, source: str = "127.0.0.1") -> Answer:
        with self.connect(seconds, source=source) as raw:
            return raw.ask("GET", path)

    def metric(self, name: str, **labels: str) -> float:
        return sum_of(self.get("/metrics").body.decode(), name, **labels)

    def connections(self) -> int:
        """The number of connections that the process holds."""
        return sum(one.status == psutil.CONN_ESTABLISHED for one in self.process.net_connections("tcp"))

    @property
    def mib(self) -> float:
        return float(self.process.memory_info().rss) / MIB


class Raw:
    def __init__(self, raw: socket.socket) -> None:
        self.socket = raw
        self._read = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def try_send(self, data: bytes) -> None:
        """Sends the data, though the other side may have closed the connection."""
        with suppress(OSError):
            self.send(data)

    def send_until_cut(self, data: bytes, most: int) -> int:
        """Sends `data` again and again, up to `most` bytes; returns how many were sent before the connection ended or
        stalled.
        """
        sent = 0
        try:
            while sent < most:
                sent += self.socket.send(data)
        except OSError:
            pass
        return sent

    def send_slowly(self, data: bytes, times: int) -> None:
        for _ in range(times):
            self.send(data)
            time.sleep(0.2)

    def answer(self) -> Answer:
        """Reads one answer. Raises ConnectionError if the connection ends first."""
        head, _, _ = self._until(b"\r\n\r\n").partition(b"\r\n\r\n")
        self._read = self._read[len(head) + 4 :]
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self._read) < length:
            self._more()
        body, self._read = self._read[:length], self._read[length:]
        return Answer(int(first.split(" ")[1]), headers, body)

    def ask(self, method: str, path: str, *lines: str, body: bytes = b"") -> Answer:
        self.send(request(method, path, *lines, body=body))
        return self.answer()

    def is_closed(self, seconds: float) -> bool:
        """Whether the server closes the connection within `seconds`. Reads and drops what it sends before that."""
        deadline = time.monotonic() + seconds
        try:
            while (left := deadline - time.monotonic()) > 0:
                self.socket.settimeout(left)
                if not self.socket.recv(65_536):
                    return True
        except TimeoutError:
            return False
        except OSError:
            return True
        return False

    def _until(self, end: bytes) -> bytes:
        while end not in self._read:
            self._more()
        return self._read

    def _more(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError(f"the connection ended after {self._read!r}")
        self._read += data


def request(method: str, path: str, *lines: str, body: bytes = b"") -> bytes:
    head = "\r\n".join([f"{method} {path} HTTP/1.1", "host: tiny", *lines])
    return head.encode() + b"\r\n\r\n" + body


@contextmanager
def tiny_service(**limits: float) -> Iterator[Tiny]:
    """Runs the tiny service in a process. `limits` are fields of HttpLimits."""
    port = free_port()
    with subprocess.Popen([sys.executable, str(PROGRAM), json.dumps(limits), str(port)]) as process:
        try:
            tiny = Tiny(port, psutil.Process(process.pid))
            _await(tiny)
            yield tiny
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _await(tiny: Tiny, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            tiny.get("/livez")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
