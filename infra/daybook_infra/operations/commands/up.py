"""`daybook up`: the whole of Daybook in the foreground of one terminal; what it started ends with it."""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import click
from pydantic import SecretStr

from daybook_contracts.senders.principals import User
from daybook_infra.operations.demo import USER_ID, Demo
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.postgres.connections import address
from daybook_infra.runtime.postgres.migrations import migrate, verify_may_migrate
from daybook_infra.runtime.settings import Settings, load_settings
from daybook_infra.stack.choice import parts_needed, stack_of
from daybook_infra.stack.interface import ALL_PARTS, Part, Servers, Stack, StackError
from daybook_infra.stack.jwt_secret import local_secret
from daybook_infra.stack.leftovers import end_services, forget_started, note_started, started_before
from daybook_infra.stack.lock import lock_or_refuse
from daybook_infra.stack.places import Home
from daybook_infra.stack.ports import next_free
from daybook_infra.stack.services import Service

COMMAND_PORT, PROJECTOR_PORT = 8000, 8001
LOOK_AT_SERVERS_EVERY = 5
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def say(line: str) -> None:
    click.echo(line, err=True)


@click.command
def up() -> None:
    """Run all of Daybook here: Kafka, PostgreSQL, topics, migrations, both services.

    Servers that DAYBOOK_KAFKA_BOOTSTRAP and DAYBOOK_DATABASE_URL name are used instead of local ones. Ctrl-C ends
    whatever this command started; the data stays, and the next `daybook up` continues with it.
    """
    home = Home.of_checkout()
    home.make()
    refusal = "`daybook up` runs here already (pid {pid}): end that first"
    with lock_or_refuse(home.lock("up"), refusal), _until_told_to_end(), ExitStack() as undo:
        try:
            _run(home, undo)
        except DaybookError as error:  # said before the stops, which may take a minute without Kafka
            say(f"Error: {error}")
            sys.exit(1)
        finally:
            _deafen()  # a second Ctrl-C must not leave anything behind; every stop has a deadline


def _run(home: Home, undo: ExitStack) -> None:
    asked = load_settings()
    end_services(home, say)
    stack, local = stack_of(asked, say), parts_needed(asked)
    _start_servers(home, stack, local, undo)
    settings = _completed(asked, stack.found(), local_secret(asked, home, say))
    asyncio.run(_init(settings))
    command, projector = _start_services(home, settings, undo)
    _introduce(settings, home, command, projector)
    if local == ALL_PARTS and settings.users == "managed":
        _show_demo(settings, command)
    _watch(stack, local, (command, projector))


def _start_servers(home: Home, stack: Stack, local: frozenset[Part], undo: ExitStack) -> None:
    """Notes what it is about to start before it does: that is stopped whatever interrupts the start."""
    mine = (local - stack.found().parts()) | (local & started_before(home))
    undo.callback(forget_started, home)
    undo.callback(stack.stop, mine)
    note_started(home, mine)
    stack.start(local)


def _completed(asked: Settings, found: Servers, secret: SecretStr) -> Settings:
    """What the environment leaves open comes from the local stack."""
    return asked.model_copy(
        update={
            "jwt_secret": secret,
            "kafka_bootstrap": asked.kafka_bootstrap or found.kafka_bootstrap,
            "database_url": SecretStr(asked.database_url.get_secret_value() or found.database_url),
        }
    )


async def _init(settings: Settings) -> None:
    await verify_may_migrate(settings)
    for name in await ensure_topics(settings):
        say(f"made topic {name}")
    for name in await migrate(settings):
        say(f"applied migration {name}")


def _start_services(home: Home, settings: Settings, undo: ExitStack) -> tuple[Service, Service]:
    """Both at once, then both awaited. The command service is the first to be ended: it may still be answering."""
    command_port = next_free(COMMAND_PORT)
    projector_port = next_free(PROJECTOR_PORT, besides=frozenset({command_port}))
    projector = Service("projector", home, settings.host, projector_port)
    command = Service("command", home, settings.host, command_port)
    for service in (projector, command):
        say(f"starting the {service.name} service on {service.url}")
        undo.callback(service.stop, say)
        service.launch(_environment(settings))
    for service in (projector, command):
        service.await_ready()
    return command, projector


def _environment(settings: Settings) -> dict[str, str]:
    secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret is not None else ""
    return {
        "DAYBOOK_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "DAYBOOK_DATABASE_URL": settings.database_url.get_secret_value(),
        "DAYBOOK_JWT_SECRET": secret,
        # Read here; a child that found both would refuse to start.
        "DAYBOOK_DATABASE_URL_FILE": "",
        "DAYBOOK_JWT_SECRET_FILE": "",
        # Both services would want the same one.
        "DAYBOOK_ADMIN_PORT": "",
    }


def _introduce(settings: Settings, home: Home, command: Service, projector: Service) -> None:
    click.echo(f"\nDaybook is up.\n  commands    {command.url}/v1/commands, described at {command.url}/docs")
    click.echo(f"  projector   {projector.url}/readyz")
    click.echo(f"  Kafka       {settings.kafka_bootstrap}\n  PostgreSQL  {address(settings)}")
    click.echo(f"  logs        {home.folder / 'logs'}")


def _show_demo(settings: Settings, command: Service) -> None:
    demo = Demo(settings, command.url)
    asyncio.run(demo.register())
    click.echo(f"\nA token of the demo user {USER_ID}, good for a day:\n\n{demo.token(User(USER_ID))}")
    click.echo(f"\nMake an org with it:\n\n{demo.curl()}")
    click.echo("\nCtrl-C ends it all; the data stays.")


def _watch(stack: Stack, local: frozenset[Part], services: tuple[Service, ...]) -> None:
    """Until a signal comes. Raises `StackError` when something that the others need has ended by itself."""
    for second in count():
        for service in services:
            service.check()
        missing = local - stack.found().parts() if second % LOOK_AT_SERVERS_EVERY == 0 else frozenset()
        for part in missing:
            raise StackError(stack.explain_end(part))
        time.sleep(1)


@contextmanager
def _until_told_to_end() -> Iterator[None]:
    """The signals that mean "end" arrive as KeyboardInterrupt, which goes no further than this."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in ENDING}
    try:
        yield
    except KeyboardInterrupt:
        say("ended; the data is kept")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _deafen() -> None:
    for number in ENDING:
        signal.signal(number, lambda _number, _frame: None)
    say("\nending what was started here ...")
