"""Identifies the caller of a request: the Authorization header in, a principal out. A service must be in the service
policy, and a user within its rate limit.
"""

import time

from daybook_contracts.codes import Code
from daybook_contracts.senders.policy import ServicePolicy, unlisted_detail
from daybook_contracts.senders.principals import Principal, Service
from daybook_infra.runtime.http.auth import Authenticator, VerifiedToken
from daybook_infra.runtime.http.problems import refusal
from daybook_infra.runtime.http.rate import Buckets, UserRate
from daybook_infra.runtime.settings import Settings


class Callers:
    """Raises SettingsError if the settings have no key to verify tokens with."""

    def __init__(self, settings: Settings, policy: ServicePolicy | None) -> None:
        self._authenticator = Authenticator(settings, time.time, time.monotonic)
        self._policy = policy
        self.rate = UserRate(Buckets(settings.rate, settings.burst, time.monotonic))

    async def identify(self, authorization: str | None) -> Principal:
        """Charges the caller one rate-limit token for the request. Raises RequestRefused: as `Authenticator.principal`
        does, 403 for a service that the policy does not list, or 429.
        """
        return (await self.verify(authorization)).principal

    async def verify(self, authorization: str | None) -> VerifiedToken:
        """Like `identify`, but also returns until when the JWT is valid."""
        token = await self._authenticator.verified(authorization)
        principal = token.principal
        if self._policy is not None and isinstance(principal, Service) and not self._policy.lists(principal):
            raise refusal(Code.FORBIDDEN, unlisted_detail(principal))
        self.rate.charge_request(principal)
        return token

    async def check(self, authorization: str | None) -> VerifiedToken:
        """Verifies the JWT of a request again, without charging a rate-limit token. Raises RequestRefused."""
        return await self._authenticator.verified(authorization)
