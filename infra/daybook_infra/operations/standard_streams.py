"""Ends a command whose reader has gone, as `cat` does: quietly, with the exit code that a shell shows for SIGPIPE.

SIGPIPE itself stays ignored, as Python sets it. It would kill a process at once, also when a connection to a server
breaks.
"""

import io
import sys
from typing import TYPE_CHECKING, Final, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

READER_GONE: Final = 141


class _Output(io.FileIO):
    """The first write without a reader raises SystemExit, so the command cleans up. Later ones do nothing."""

    _is_ending = False

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            if not self._is_ending:
                self._is_ending = True
                raise SystemExit(READER_GONE) from None
            return memoryview(data).nbytes


class _Messages(io.FileIO):
    """Drops what cannot be written, because the reader or the terminal has gone or a disk is full: neither a service
    nor the cleaning up of a command must end for a lost message.
    """

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def end_with_reader() -> None:
    """Replaces `sys.stdout` and `sys.stderr`, unless a caller has already done so, or they are closed."""
    if sys.__stdout__ is not None and sys.stdout is sys.__stdout__:
        sys.stdout = _over(_Output(sys.__stdout__.fileno(), "w", closefd=False), sys.__stdout__)
    if sys.__stderr__ is not None and sys.stderr is sys.__stderr__:
        sys.stderr = _over(_Messages(sys.__stderr__.fileno(), "w", closefd=False), sys.__stderr__)


def _over(raw: io.FileIO, stream: TextIO) -> TextIO:
    """A stream with the properties of the given one. It has no buffer if the process is unbuffered."""
    given = cast("io.TextIOWrapper", stream)
    binary = cast("io.BufferedWriter", raw) if given.write_through else io.BufferedWriter(raw)
    return io.TextIOWrapper(
        binary, given.encoding, given.errors, line_buffering=given.line_buffering, write_through=given.write_through
    )
