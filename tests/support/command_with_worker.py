"""A long-running command with a temporary folder and a worker process, for tests that end the command. The worker
writes its process id and the folder's name to a socket, and keeps the connection as long as it lives.

    python -m support.command_with_worker PORT busy|idle
"""

import asyncio
import os
import socket
import sys
import tempfile
import threading
from functools import partial

from daybook_infra.operations.commands.interruptible import run_interruptibly
from daybook_projector.audit.verify.workers import FEW_ENTRIES, open_workers

INTERRUPTED = 130
_connections: list[socket.socket] = []


def work(port: int, folder: str, *, is_busy: bool) -> None:
    connection = socket.create_connection(("127.0.0.1", port))
    _connections.append(connection)
    connection.sendall(f"{os.getpid()} {folder}\n".encode())
    if is_busy:
        threading.Event().wait()


async def run(port: int, *, is_busy: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_workers(FEW_ENTRIES + 1, lambda _: None) as workers:
            await workers.all([partial(work, port, folder, is_busy=is_busy)])
            await asyncio.Event().wait()


def main() -> None:
    os.cpu_count = lambda: 2  # with one core there would be no worker process
    try:
        run_interruptibly(run(int(sys.argv[1]), is_busy=sys.argv[2] == "busy"))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
