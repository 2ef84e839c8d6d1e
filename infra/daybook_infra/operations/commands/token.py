"""`daybook token`: prints a JWT to try things out."""

from datetime import UTC, datetime, timedelta

import click

from daybook_infra.operations.commands.numbers import Number
from daybook_infra.operations.server_settings import local_jwt_secret
from daybook_infra.runtime.settings import load_settings


@click.command
@click.option("--user", metavar="ID", help="A user's id; the token's role is `authenticated`.")
@click.option("--service", metavar="NAME", help="A service's name; the token's role is `service_role`.")
@click.option(
    "--hours",
    type=Number(min=0, min_open=True, max=8760),
    default=1.0,
    show_default=True,
    help="How long the token is valid.",
)
def token(user: str | None, service: str | None, hours: float) -> None:
    """Print a JWT for the HTTP door, to try things out.

    It is signed with DAYBOOK_JWT_SECRET, or with the local stack's secret in .daybook/jwt-secret. A service's token is
    signed with DAYBOOK_SERVICE_JWT_SECRET if that is set.
    """
    from daybook_infra.operations.tokens import TokenError, principal_of, sign, signing_secret

    try:
        principal = principal_of(user, service)
    except TokenError as error:
        raise click.UsageError(str(error)) from error
    settings = load_settings()
    secret = signing_secret(settings, principal, local_jwt_secret())
    click.echo(sign(settings, secret, principal, datetime.now(UTC), timedelta(hours=hours)))
