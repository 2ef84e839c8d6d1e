"""Identifies the caller of a request: the Authorization header in, a principal out that the service policy lists and
that is within its rate limit.
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
        """Charges the caller the request's first token. Raises RequestRefused: what `Authenticator.principal` raises,
        403 for a service that the policy does not list, or 429.
        """
        return (await self.verify(authorization)).principal

    async def verify(self, authorization: str | None) -> VerifiedToken:
        """As `identify`, for a caller that also needs to know when the token ends."""
        token = await self._authenticator.verified(authorization)
        principal = token.principal
        if self._policy is not None and isinstance(principal, Service) and not self._policy.lists(principal):
            raise refusal(Code.FORBIDDEN, unlisted_detail(principal))
        self.rate.charge_request(principal)
        return token

    async def check(self, authorization: str | None) -> VerifiedToken:
        """Verifies a token again, during a request that was charged for it. Raises RequestRefused."""
        return await self._authenticator.verified(authorization)
