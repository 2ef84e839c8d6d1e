"""Record headers whose names are not UTF-8, as clients in other languages may send them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiokafka.producer import message_accumulator
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy


class NotUtf8(str):
    """A header name that is sent as two bytes of invalid UTF-8."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


@contextmanager
def slow_builder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Uses aiokafka's batch builder in Python, which calls the name's `encode`; the builder in C takes plain
    str only.
    """
    with monkeypatch.context() as patched:
        patched.setattr(message_accumulator, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
        yield
