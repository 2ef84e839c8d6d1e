"""Signals that end a long command interrupt its work as Ctrl-C does."""

import asyncio
import io
import signal
import sys
from collections.abc import Iterator

import click
import pytest

from daybook_infra.operations.commands.interruptible import ENDING_SIGNALS, confirm, run_interruptibly


class SignalledInput:
    """A terminal on which the signal comes while it is read."""

    def __init__(self, number: signal.Signals) -> None:
        self._number = number

    def readline(self) -> str:
        signal.raise_signal(self._number)
        return "y\n"


@pytest.fixture
def handlers() -> Iterator[None]:
    """All signals have their default handlers during the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDING_SIGNALS)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def ended_by(number: signal.Signals, ended: list[str]) -> None:
    try:
        signal.raise_signal(number)
        await asyncio.sleep(0)
        ended.append("went on")
    finally:
        await asyncio.sleep(0)
        ended.append("cleaned up")


@pytest.mark.parametrize("number", [signal.SIGINT, *ENDING_SIGNALS])
def test_the_work_is_interrupted_and_cleans_up(handlers: None, number: signal.Signals) -> None:
    ended: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(ended_by(number, ended))
    assert ended == ["cleaned up"]
    assert [signal.getsignal(each) for each in ENDING_SIGNALS] == [signal.SIG_DFL] * 2


def test_a_signal_that_is_ignored_stays_ignored(handlers: None) -> None:
    ended: list[str] = []
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run_interruptibly(ended_by(signal.SIGHUP, ended))
    assert ended == ["went on", "cleaned up"]


@pytest.mark.parametrize("number", [signal.SIGINT, *ENDING_SIGNALS])
def test_a_signal_ends_a_question_at_once(
    handlers: None, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    async def ask() -> bool:
        return confirm("Go on?")

    monkeypatch.setattr(sys, "stdin", SignalledInput(number))
    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(ask())


def test_the_end_of_the_input_aborts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(click.Abort):
        confirm("Go on?")


@pytest.mark.parametrize("second", ENDING_SIGNALS)
def test_a_second_signal_does_not_interrupt_the_cleanup(handlers: None, second: signal.Signals) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await ended_by(signal.SIGHUP, ended)
        finally:
            await ended_by(second, ended)

    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(work())
    assert ended == ["cleaned up", "went on", "cleaned up"]
