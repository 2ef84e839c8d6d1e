"""`POST /v1/commands` and `POST /v1/commands:batch`: checks a request, sends its commands, and answers it.

The checks, in this order: the token, the rate limit, the body budget, the rate limit again for the body's size, the
command, and whether the token's principal may send the command.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import uuid_utils
from starlette.requests import Request
from starlette.responses import Response

from daybook_command.http.body_budget import BodyBudget, read_body
from daybook_command.http.command_sender import Answer, Caller, CommandSender
from daybook_command.http.dependencies import DoorDependencies
from daybook_command.http.headers import CommandHeaders, idempotent_id, read_headers, wants_no_wait
from daybook_command.http.invalid_commands import invalid_command
from daybook_command.http.parse_turns import ParseTurns
from daybook_command.http.time_slices import TimeSlices
from daybook_contracts.codes import Code
from daybook_contracts.commands.batch import parse_item, split_batch
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.parse import parse_command, refuse_oversize
from daybook_contracts.commands.registry import Command
from daybook_contracts.limits import BATCH_BYTES, ENVELOPE_BYTES
from daybook_contracts.results import Accepted, Pending, Rejected, encode_body, encode_item, encode_items
from daybook_contracts.senders.actor import with_actor
from daybook_contracts.senders.principals import Principal
from daybook_contracts.senders.sender_rules import SenderRules
from daybook_contracts.topics import trace_context
from daybook_infra.runtime.http.callers import Callers
from daybook_infra.runtime.http.problems import problem_response
from daybook_infra.runtime.http.rate import BYTES_PER_TOKEN

JSON: Final = "application/json"


class CommandRoutes:
    def __init__(self, deps: DoorDependencies, callers: Callers) -> None:
        self._callers = callers
        self._rate = callers.rate
        self._turns = ParseTurns()
        self._slices = TimeSlices()
        self._sender = CommandSender(deps, self._slices)
        self._budget = BodyBudget()
        self._rules = SenderRules(deps.policy, deps.settings.secret_ref_prefix)

    async def single(self, request: Request) -> Response:
        headers = read_headers(request)
        caller = await self._identify_caller(headers)
        given_id = idempotent_id(headers, caller.principal)
        with self._budget.reserve(caller.principal) as reservation:
            body = await read_body(request, headers.content_length, ENVELOPE_BYTES, reservation)
            self._rate.charge_body(caller.principal, body)
            command = await self._parse(body, given_id, caller.principal)
            (answer,) = await self._sender.send([command], caller)
        match answer:
            case Rejected():
                return problem_response(answer)
            case Pending(location=location):
                own = {"Location": location, **_preference_applied(caller)}
                return Response(encode_body(answer), answer.status, own, media_type=JSON)
            case Accepted():
                return Response(encode_body(answer), media_type=JSON)

    async def batch(self, request: Request) -> Response:
        headers = read_headers(request)
        caller = await self._identify_caller(headers)
        with self._budget.reserve(caller.principal) as reservation:
            body = await read_body(request, headers.content_length, BATCH_BYTES, reservation)
            self._rate.charge_body(caller.principal, body)
            items = await self._slices.run(caller.principal, split_batch(body))
            self._rate.charge_items(caller.principal, body, len(items))
            reservation.add_commands(len(items) - 1)
            answers = await self._answer_items(items, caller)
            encoded = encode_items(await self._slices.map_to_the_end(caller.principal, encode_item, answers))
        return Response(encoded, 200 if caller.wait else 202, _preference_applied(caller), media_type=JSON)

    async def _identify_caller(self, headers: CommandHeaders) -> Caller:
        """Raises RequestRefused if the token is not valid or the rate limit is reached."""
        authorization = headers.authorization
        principal = await self._callers.identify(None if authorization is None else authorization.decode("latin-1"))
        return Caller(principal, trace_context(headers.traceparent), wait=not wants_no_wait(headers))

    async def _parse(self, body: bytes, given_id: str | None, principal: Principal) -> Command:
        """Raises InvalidCommand. A body of at most BYTES_PER_TOKEN waits for the turn of its org. A larger body waits
        for a time slice before each step, and again before this returns, because the caller then sends the command.
        """
        if len(body) <= BYTES_PER_TOKEN:
            await self._turns.wait(body)
            return _check(_parse_single(body, given_id), principal, self._rules, len(body))
        await self._slices.wait(principal)
        command = _parse_single(body, given_id)
        await self._slices.wait(principal)
        command = _check(command, principal, self._rules, len(body))
        await self._slices.wait(principal)
        return command

    async def _answer_items(self, items: Sequence[bytes], caller: Caller) -> list[Answer]:
        """One answer per item, in order. A refused item does not affect the others."""
        principal = caller.principal
        parsed = await self._slices.map(principal, partial(_parse_item, principal, self._rules), items)
        commands = [item for item in parsed if not isinstance(item, Rejected)]
        answers = iter(await self._sender.send(commands, caller) if commands else ())
        return [item if isinstance(item, Rejected) else next(answers) for item in parsed]


def _parse_single(body: bytes, given_id: str | None) -> Command:
    """The command of a single call; `given_id` comes from its Idempotency-Key. Raises InvalidCommand."""
    make_id = _new_id if given_id is None else lambda: given_id
    command = parse_command(body, default_id=make_id, check_size=False)
    if given_id is not None and command.id != given_id:
        raise InvalidCommand(Code.INVALID_COMMAND, "id and Idempotency-Key name two different commands", command.id)
    return command


def _parse_item(principal: Principal, rules: SenderRules, raw: bytes) -> Command | Rejected:
    """The command of a batch's item, or the refusal of the item."""
    item = parse_item(raw, default_id=_new_id, check_size=False)
    if isinstance(item, InvalidCommand):
        return invalid_command(item)
    try:
        return _check(item, principal, rules, len(raw))
    except InvalidCommand as fault:
        return invalid_command(fault)


def _check(command: Command, principal: Principal, rules: SenderRules, size: int) -> Command:
    """The command with its actor. Raises InvalidCommand if the principal or the rules for senders do not allow the
    command. `size`: the size of the command as it was received, in bytes.
    """
    rules.check(command, principal)
    acting = with_actor(command, principal, size, "actor_user_id: your token belongs to another user")
    if acting is command:  # otherwise with_actor has checked the size
        refuse_oversize(command, size)
    return acting


def _new_id() -> str:
    return str(uuid_utils.uuid7())


def _preference_applied(caller: Caller) -> dict[str, str]:
    return {} if caller.wait else {"Preference-Applied": "respond-async"}
