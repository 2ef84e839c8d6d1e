"""Answers malformed commands: a fault of the command in, a problem out."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from daybook_contracts.codes import TOO_LARGE_STATUS
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.results import Rejected, problem
from daybook_infra.runtime.http.problems import problem_response


def invalid_command(fault: InvalidCommand) -> Rejected:
    status = TOO_LARGE_STATUS if fault.too_large else None
    return problem(fault.code, fault.detail, command_id=fault.command_id, status=status)


def install(app: FastAPI) -> None:
    app.add_exception_handler(InvalidCommand, _invalid)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidCommand)  # noqa: S101 - registered for this class alone
    return problem_response(invalid_command(error))
