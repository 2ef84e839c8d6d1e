"""`POST /v1/commands` and `POST /v1/commands:batch`: a request in, its answer out.
In this order: the token, the rate, room for the body, what the body costs, the command, whether the token fits it; then
it is sent.
"""

from collections.abc import Sequence
from typing import Final

import uuid_utils
from starlette.requests import Request
from starlette.responses import Response

from daybook_command.http.auth import Authenticator
from daybook_command.http.body import read_body
from daybook_command.http.body_budget import Room
from daybook_command.http.command_sender import Answer, Sender, Sending
from daybook_command.http.dependencies import DoorDeps
from daybook_command.http.headers import idempotent_id, traceparent, wants_no_wait
from daybook_command.http.problems import invalid, problem_response, refuse_unlisted
from daybook_command.http.rate import TOKEN_BYTES, UserRate
from daybook_command.http.time_slices import Turns
from daybook_contracts.codes import Code
from daybook_contracts.commands.batch import parse_item, split_batch
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.parse import parse_command, refuse_oversize, with_actor
from daybook_contracts.commands.registry import Command
from daybook_contracts.limits import BATCH_BYTES, ENVELOPE_BYTES
from daybook_contracts.results import Accepted, Pending, Rejected, encode_body, encode_item, encode_items
from daybook_contracts.senders.edge_rules import EdgeRules
from daybook_contracts.senders.principals import Principal, Service, User

JSON: Final = "application/json"


class Commands:
    def __init__(self, deps: DoorDeps, authenticator: Authenticator, rate: UserRate) -> None:
        self._authenticator = authenticator
        self._policy = deps.policy
        self._rate = rate
        self._turns = Turns()
        self._sending = Sending(deps, self._turns)
        self._room = Room()
        self._rules = EdgeRules(deps.policy, deps.settings.secret_ref_prefix)

    async def one(self, request: Request) -> Response:
        sender = await self._sender(request)
        given = idempotent_id(request, sender.principal)
        with self._room.share(str(sender.principal)) as share:
            body = await read_body(request, ENVELOPE_BYTES, share)
            self._rate.charge(sender.principal, body)
            command = await self._command(body, given, sender.principal)
            (answer,) = await self._sending.send([command], sender)
        match answer:
            case Rejected():
                return problem_response(answer)
            case Pending(location=location):
                headers = {"Location": location, **_applied(sender)}
                return Response(encode_body(answer), answer.status, headers, media_type=JSON)
            case Accepted():
                return Response(encode_body(answer), media_type=JSON)

    async def batch(self, request: Request) -> Response:
        sender = await self._sender(request)
        with self._room.share(str(sender.principal)) as share:
            body = await read_body(request, BATCH_BYTES, share)
            self._rate.charge(sender.principal, body)
            items = await self._turns.run(sender.principal, split_batch(body))
            self._rate.charge_items(sender.principal, body, len(items))
            share.take_commands(len(items) - 1)
            answers = await self._answers(items, sender)
            encoded = encode_items(await self._turns.each(sender.principal, encode_item, answers))
        return Response(encoded, 200 if sender.wait else 202, _applied(sender), media_type=JSON)

    async def _command(self, body: bytes, given_id: str | None, principal: Principal) -> Command:
        """Raises InvalidCommand. A body that is not small waits for its turns; what publishes it begins in the last."""
        if len(body) <= TOKEN_BYTES:
            return _fitting(_read(body, given_id), principal, self._rules, len(body))
        await self._turns.next(principal)
        command = _read(body, given_id)
        await self._turns.next(principal)
        command = _fitting(command, principal, self._rules, len(body))
        await self._turns.next(principal)
        return command

    async def _answers(self, items: Sequence[bytes], sender: Sender) -> list[Answer]:
        principal = sender.principal
        checked = await self._turns.each(principal, lambda item: _checked(item, principal, self._rules), items)
        commands = [item for item in checked if not isinstance(item, Rejected)]
        sent = iter(await self._sending.send(commands, sender) if commands else ())
        return [item if isinstance(item, Rejected) else next(sent) for item in checked]

    async def _sender(self, request: Request) -> Sender:
        """Lets the request in, or raises Refused."""
        principal = await self._authenticator.principal(request.headers.get("authorization"))
        refuse_unlisted(principal, self._policy)
        self._rate.enter(principal)
        return Sender(principal, traceparent(request), wait=not wants_no_wait(request))


def _read(body: bytes, given_id: str | None) -> Command:
    """The command of a single call; raises InvalidCommand. `given_id` is the one that its header stands for."""
    make_id = _new_id if given_id is None else lambda: given_id
    command = parse_command(body, default_id=make_id, measured=False)
    if given_id is not None and command.id != given_id:
        raise InvalidCommand(Code.INVALID_COMMAND, "id and Idempotency-Key name two different commands", command.id)
    return command


def _checked(raw: bytes, principal: Principal, rules: EdgeRules) -> Command | Rejected:
    """An item of a batch, or its refusal: one item stops nothing."""
    item = parse_item(raw, default_id=_new_id, measured=False)
    if isinstance(item, InvalidCommand):
        return invalid(item)
    try:
        return _fitting(item, principal, rules, len(raw))
    except InvalidCommand as fault:
        return invalid(fault)


def _fitting(command: Command, principal: Principal, rules: EdgeRules, written: int) -> Command:
    """The command, of so many bytes, with its actor; raises InvalidCommand where the token or the edge's rules do not
    fit it.
    """
    rules.check(command, principal)
    match principal:
        case Service():
            fitting = command
        case User(user_id) if command.actor_user_id in {None, user_id}:
            fitting = with_actor(command, user_id, written)
        case User():
            detail = "actor_user_id: your token is another user's"
            raise InvalidCommand(Code.FORBIDDEN, detail, command.id)
    if fitting is command:  # else it was measured with its actor
        refuse_oversize(command, written)
    return fitting


def _new_id() -> str:
    return str(uuid_utils.uuid7())


def _applied(sender: Sender) -> dict[str, str]:
    return {} if sender.wait else {"Preference-Applied": "respond-async"}
