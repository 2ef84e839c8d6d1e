"""Header names as a client in another language may write them: bytes that are no UTF-8."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiokafka.producer import message_accumulator
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy


class NotUtf8(str):
    """A header name that is sent as two bytes which mean nothing in UTF-8."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


@contextmanager
def slow_builder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Aiokafka's builder in Python asks a name how it is encoded; the fast one insists on plain strings."""
    with monkeypatch.context() as patched:
        patched.setattr(message_accumulator, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
        yield
