"""`daybook up`: runs all of Daybook in the foreground. When it ends, it stops everything that it started."""

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
from daybook_infra.runtime.postgres.logins import ensure_logins, service_url, verify_can_make_logins
from daybook_infra.runtime.postgres.migrations import migrate, verify_can_migrate
from daybook_infra.runtime.postgres.roles import find_statements_for_administrator
from daybook_infra.runtime.settings import Settings, load_settings
from daybook_infra.stack.interface import ALL_PARTS, Part, Stack, StackError
from daybook_infra.stack.local_settings import (
    local_secret,
    parts_needed,
    stack_of,
    with_local_passwords,
    with_local_servers,
)
from daybook_infra.stack.lock import lock_or_refuse
from daybook_infra.stack.places import Home
from daybook_infra.stack.ports import next_free
from daybook_infra.stack.services import (
    ServiceProcess,
    end_services,
    forget_started,
    note_started,
    started_by_killed_up,
)

COMMAND_PORT, PROJECTOR_PORT = 8000, 8001
CHECK_SERVERS_SECONDS = 5
OTHER_LOGINS = ("ADMIN_DATABASE_URL", "COMMAND_PASSWORD", "PROJECTOR_PASSWORD")
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
    refusal = "`daybook up` is already running here (pid {pid}): stop it first"
    with lock_or_refuse(home.lock("up"), refusal), until_signalled(), ExitStack() as undo:
        try:
            _run_until_signalled(home, undo)
        except DaybookError as error:  # printed before the servers and services stop, which may take a minute
            say(f"Error: {error}")
            sys.exit(1)
        finally:
            _ignore_signals()  # a second Ctrl-C must not leave anything running; every stop has a deadline


def _run_until_signalled(home: Home, undo: ExitStack) -> None:
    given_settings = load_settings()
    end_services(home, say)
    stack, local_parts = stack_of(given_settings, say), parts_needed(given_settings)
    _start_servers(home, stack, local_parts, undo)
    secret = local_secret(given_settings, home, say)
    settings = with_local_servers(given_settings, stack.servers()).model_copy(update={"jwt_secret": secret})
    if Part.POSTGRES in local_parts:
        settings = with_local_passwords(settings, home, say)
    asyncio.run(_init_servers(settings))
    command, projector = _start_services(home, settings, undo)
    _print_addresses(settings, home, command, projector)
    if local_parts == ALL_PARTS and settings.users == "managed":
        _show_demo(settings, command)
    _watch(stack, local_parts, (command, projector))


def _start_servers(home: Home, stack: Stack, local_parts: frozenset[Part], undo: ExitStack) -> None:
    """First notes which servers it will start, so that they are stopped even if the start is interrupted."""
    to_stop = (local_parts - stack.servers().parts()) | (local_parts & started_by_killed_up(home))
    undo.callback(forget_started, home)
    undo.callback(stack.stop, to_stop)
    note_started(home, to_stop)
    stack.start(local_parts)


async def _init_servers(settings: Settings) -> None:
    await verify_can_migrate(settings)
    await verify_can_make_logins(settings)
    for name in await ensure_topics(settings):
        say(f"made topic {name}")
    for name in await migrate(settings):
        say(f"applied migration {name}")
    for statement in await find_statements_for_administrator(settings):
        say(f"an administrator of PostgreSQL has to run: {statement}")
    await ensure_logins(settings)


def _start_services(home: Home, settings: Settings, undo: ExitStack) -> tuple[ServiceProcess, ServiceProcess]:
    """Starts both services, then waits until both are ready. The command service is stopped before the projector,
    because it may still have to answer requests.
    """
    command_port = next_free(COMMAND_PORT)
    projector_port = next_free(PROJECTOR_PORT, besides=frozenset({command_port}))
    projector = ServiceProcess("projector", home, settings.host, projector_port)
    command = ServiceProcess("command", home, settings.host, command_port)
    for service in (projector, command):
        say(f"starting the {service.name} service on {service.url}")
        undo.callback(service.stop, say)
        service.launch(_service_environment(settings, service_url(settings, service.name)))
    for service in (projector, command):
        service.await_ready()
    return command, projector


def _service_environment(settings: Settings, database_url: SecretStr) -> dict[str, str]:
    secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret is not None else ""
    return {
        "DAYBOOK_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "DAYBOOK_DATABASE_URL": database_url.get_secret_value(),
        "DAYBOOK_JWT_SECRET": secret,
        # A service needs no login but its own.
        **dict.fromkeys((f"DAYBOOK_{name}{file}" for name in OTHER_LOGINS for file in ("", "_FILE")), ""),
        # This process has read the files already. A service refuses to start if a setting and its _FILE variant are
        # both set.
        "DAYBOOK_DATABASE_URL_FILE": "",
        "DAYBOOK_JWT_SECRET_FILE": "",
        # Unset, because both services would use the same port.
        "DAYBOOK_ADMIN_PORT": "",
    }


def _print_addresses(settings: Settings, home: Home, command: ServiceProcess, projector: ServiceProcess) -> None:
    click.echo(f"\nDaybook is up.\n  commands    {command.url}/v1/commands, described at {command.url}/docs")
    click.echo(f"  projector   {projector.url}/v1/orgs, the read API, described at {projector.url}/docs")
    click.echo(f"  Kafka       {settings.kafka_bootstrap}\n  PostgreSQL  {address(settings)}")
    click.echo(f"  logs        {home.folder / 'logs'}")


def _show_demo(settings: Settings, command: ServiceProcess) -> None:
    demo = Demo(settings, command.url)
    asyncio.run(demo.register())
    click.echo(f"\nA token of the demo user {USER_ID}, valid for a day:\n\n{demo.token(User(USER_ID))}")
    click.echo(f"\nMake an org with it:\n\n{demo.curl()}")
    click.echo("\nCtrl-C stops everything; the data stays.")


def _watch(stack: Stack, local_parts: frozenset[Part], services: tuple[ServiceProcess, ...]) -> None:
    """Runs until a signal comes. Raises `StackError` if a service or a server ends by itself."""
    for second in count():
        for service in services:
            service.verify_running()
        missing = local_parts - stack.servers().parts() if second % CHECK_SERVERS_SECONDS == 0 else frozenset()
        for part in missing:
            raise StackError(stack.explain_end(part))
        time.sleep(1)


@contextmanager
def until_signalled() -> Iterator[None]:
    """Turns the signals that mean "end" into KeyboardInterrupt, and catches it. Under nohup, SIGHUP stays ignored."""
    ending = [each for each in ENDING_SIGNALS if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
    before = {number: signal.signal(number, signal.default_int_handler) for number in ending}
    try:
        yield
    except KeyboardInterrupt:
        say("ended; the data is kept")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    for number in ENDING_SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
    say("\nending what was started here ...")
