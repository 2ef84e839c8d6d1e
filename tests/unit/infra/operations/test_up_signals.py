"""Which signals end `daybook up`."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from daybook_infra.operations.commands.up import until_signalled

Handler = signal.Handlers


@contextmanager
def hang_up_is(handler: Handler) -> Iterator[None]:
    before = signal.signal(signal.SIGHUP, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def is_ended_by(number: signal.Signals) -> bool:
    survived: list[signal.Signals] = []
    with until_signalled():
        os.kill(os.getpid(), number)
        survived.append(number)
    return not survived


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_ends_at_a_signal(number: signal.Signals) -> None:
    with hang_up_is(Handler.SIG_DFL):
        assert is_ended_by(number)


def test_under_nohup_up_survives_the_end_of_its_terminal() -> None:
    with hang_up_is(Handler.SIG_IGN):
        assert not is_ended_by(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == Handler.SIG_IGN
