"""The demo user of a local stack, and a curl command to try. The user registers itself through the HTTP door, because
no service policy can forbid that.
"""

import http.client
import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from daybook_contracts.senders.principals import Principal, User
from daybook_infra.operations.tokens import sign, signing_secret
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import StackError

USER_ID = "0199f000-0000-7000-8000-00000000da7e"
# Constant, so that a later `daybook up` gets the answer of the first one.
COMMAND_ID = "0199f000-0000-7000-8000-000000000001"
TOKEN_LIFETIME = timedelta(hours=24)
ANSWER_SECONDS = 30
REQUEST_SECONDS = 10
OK = 200
UNDECIDED_STATUSES = (202, 503)


@dataclass(frozen=True, slots=True)
class Demo:
    settings: Settings
    door: str

    def token(self, principal: Principal) -> str:
        secret = signing_secret(self.settings, principal, None)
        return sign(self.settings, secret, principal, datetime.now(UTC), TOKEN_LIFETIME)

    async def register(self) -> None:
        """Returns when the user is in the tables, so that commands can name it."""
        position = self._register_user()
        async with connect(self.settings, "daybook-up") as connection:
            seen = await connection.fetchval(
                "SELECT daybook.wait_for($1, $2)", position, timedelta(seconds=ANSWER_SECONDS)
            )
        if not seen:
            raise StackError(f"the demo user's entry, {position}, was not projected within {ANSWER_SECONDS} s")

    def curl(self) -> str:
        body = {"type": "CREATE_ORG", "org_id": str(uuid.uuid4()), "data": {"name": "My first org"}}
        return (
            f"curl -sS {self.door}/v1/commands -H 'Content-Type: application/json' "
            f"-H 'Authorization: Bearer {self.token(User(USER_ID))}' -d '{json.dumps(body)}'"
        )

    def _register_user(self) -> str:
        deadline = time.monotonic() + ANSWER_SECONDS
        status, answer = self._post()
        while status in UNDECIDED_STATUSES and time.monotonic() < deadline:
            time.sleep(0.2)
            status, answer = self._post()
        if status != OK:
            raise StackError(f"the demo user could not be registered: {status} {answer}")
        position: str = json.loads(answer)["position"]
        return position

    def _post(self) -> tuple[int, str]:
        body = json.dumps({"id": COMMAND_ID, "type": "REGISTER_USER", "data": {"user_id": USER_ID}})
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token(User(USER_ID))}"}
        connection = http.client.HTTPConnection(urlsplit(self.door).netloc, timeout=REQUEST_SECONDS)
        try:
            connection.request("POST", "/v1/commands", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise StackError(f"the HTTP door at {self.door} did not answer: {error}") from error
        finally:
            connection.close()
