"""`daybook stack up|down|env|reset`: controls the local Kafka and PostgreSQL, without Daybook's services."""

import shlex
import sys

import click

from daybook_infra.runtime.settings import load_settings
from daybook_infra.stack.interface import Part, Stack, StackError, titles
from daybook_infra.stack.local_settings import env_with_secret, local_secret, parts_needed, stack_of
from daybook_infra.stack.lock import is_held, lock_or_refuse, lock_or_wait
from daybook_infra.stack.places import Home
from daybook_infra.stack.services import (
    UP_RUNS,
    end_services,
    forget_started,
    refuse_while_up_runs,
    services_left_behind,
)


def say(line: str) -> None:
    click.echo(line, err=True)


@click.group
def stack() -> None:
    """The local Kafka and PostgreSQL, which run in the background.

    DAYBOOK_STACK says which: embedded (the default) or docker. Servers that DAYBOOK_KAFKA_BOOTSTRAP and
    DAYBOOK_DATABASE_URL name are left alone.
    """


@stack.command("up")
def stack_up() -> None:
    """Start the servers that are not running yet."""
    settings = load_settings()
    needed = parts_needed(settings)
    home = Home.of_checkout()
    local_secret(settings, home, say)
    started = stack_of(settings, say).start(needed)
    if not is_held(home.lock("up")):
        forget_started(home)
    for part in sorted(needed):
        click.echo(f"{part.label}: {'started' if part in started else 'was running'}")
    if not needed:
        click.echo("nothing to start: DAYBOOK_KAFKA_BOOTSTRAP and DAYBOOK_DATABASE_URL name other servers")


@stack.command("down")
def stack_down() -> None:
    """Stop the running servers. The data stays."""
    settings = load_settings()
    home = Home.of_checkout()
    home.make()
    refuse_while_up_runs(home)
    end_services(home, say)
    stopped = stack_of(settings, say).stop()
    forget_started(home)
    for part in sorted(Part):
        click.echo(f"{part.label}: {'stopped' if part in stopped else 'was not running'}")


@stack.command("env")
def stack_env() -> None:
    """Print the variables that a shell needs to use the stack: eval "$(daybook stack env)"."""
    settings = load_settings()
    servers = stack_of(settings).servers()
    if not servers.env():
        raise StackError("the local stack is not running: `daybook stack up`")
    for name, value in env_with_secret(servers, settings, Home.of_checkout()).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@stack.command("reset")
@click.option("--yes", is_flag=True, help="Delete without asking.")
def stack_reset(*, yes: bool) -> None:
    """Delete the stack's data, so that the next start has an empty log and an empty database.

    Lists what it deletes, and asks first. Refuses while the stack or `daybook up` is running. Logs, ports, the JWT
    secret and downloaded programs stay.
    """
    settings = load_settings()
    home = Home.of_checkout()
    home.make()
    chosen = stack_of(settings, say)
    refuse_while_up_runs(home)
    _refuse_while_running(home, chosen)
    if not (data := chosen.data()):
        click.echo(f"nothing to delete: the {settings.stack} stack has no data")
        return
    click.echo("\n  ".join([f"This deletes the data of the {settings.stack} stack:", *data]))
    if not (yes or _ask_for_confirmation()):
        click.echo("nothing was deleted")
        sys.exit(1)
    with lock_or_refuse(home.lock("up"), UP_RUNS), lock_or_wait(home.lock("stack"), say):
        _refuse_while_running(home, chosen)
        chosen.delete_data()
        forget_started(home)
    click.echo("deleted")


def _refuse_while_running(home: Home, chosen: Stack) -> None:
    for service, process in services_left_behind(home).items():
        raise StackError(f"a {service} service is still running (pid {process.pid}): stop it with `daybook stack down`")
    if running := chosen.servers().parts():
        raise StackError(f"the stack is running ({titles(running)}): stop it with `daybook stack down`")


def _ask_for_confirmation() -> bool:
    if not sys.stdin.isatty():
        raise StackError("there is no terminal to ask on: add --yes to delete this data")
    return click.confirm("Delete it?", default=False)
