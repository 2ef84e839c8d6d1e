"""Iterates over the collections of the read API: an org and filters in, items out. Pages are fetched as needed."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from daybook_client import items
from daybook_client.answers import Answer, detail, retry_after
from daybook_client.attempts import Again, Attempts
from daybook_client.command import Id
from daybook_client.errors import CredentialsRefused, Misuse, NotVisible
from daybook_client.http.session import NoAnswer, Session

PAGE_ITEMS: Final = 500
PAGE_SECONDS: Final = 30.0
ATTEMPT_SECONDS: Final = 10.0

Item = TypeVar("Item", bound=msgspec.Struct)
Value = str | UUID | datetime | bool | None


class Page(msgspec.Struct, Generic[Item], frozen=True):
    items: list[Item]
    next: str | None


class Reader:
    """Each method is an async iterator over the items that the token's user may see. Sync runs and the log come newest
    first, everything else in the order of ids. With `after`, a position, the iterator first waits until the tables show
    that position.

    Iterators raise NotVisible if the org does not exist or the user may not see it, and TimeoutError if a page has not
    come after `page_seconds` of retries.
    """

    def __init__(self, session: Session, *, page_items: int = PAGE_ITEMS, page_seconds: float = PAGE_SECONDS) -> None:
        self._session = session
        self._page_items = page_items
        self._page_seconds = page_seconds

    def orgs(self, *, after: str | None = None) -> AsyncGenerator[items.Org]:
        return self._walk("/v1/orgs", items.Org, after)

    def members(
        self, org_id: Id, *, role: items.OrgRole | None = None, after: str | None = None
    ) -> AsyncGenerator[items.Member]:
        return self._walk(f"/v1/orgs/{org_id}/members", items.Member, after, role=role)

    def projects(self, org_id: Id, *, after: str | None = None) -> AsyncGenerator[items.Project]:
        return self._walk(f"/v1/orgs/{org_id}/projects", items.Project, after)

    def project_members(
        self, org_id: Id, project_id: Id, *, role: items.ProjectRole | None = None, after: str | None = None
    ) -> AsyncGenerator[items.ProjectMember]:
        path = f"/v1/orgs/{org_id}/projects/{project_id}/members"
        return self._walk(path, items.ProjectMember, after, role=role)

    def connections(
        self,
        org_id: Id,
        *,
        project: Id | None = None,
        type: str | None = None,  # noqa: A002 - the API's name
        active: bool | None = None,
        after: str | None = None,
    ) -> AsyncGenerator[items.Connection]:
        path = f"/v1/orgs/{org_id}/connections"
        return self._walk(path, items.Connection, after, project=project, type=type, active=active)

    def sync_runs(  # noqa: PLR0913 - the API's filters
        self,
        org_id: Id,
        *,
        project: Id | None = None,
        connection: Id | None = None,
        status: items.RunStatus | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
    ) -> AsyncGenerator[items.SyncRun]:
        chosen = {"project": project, "connection": connection, "status": status, "since": since, "until": until}
        return self._walk(f"/v1/orgs/{org_id}/sync-runs", items.SyncRun, after, **chosen)

    def dead_letters(
        self,
        org_id: Id,
        *,
        project: Id | None = None,
        connection: Id | None = None,
        status: items.DeadLetterStatus | None = None,
        after: str | None = None,
    ) -> AsyncGenerator[items.DeadLetter]:
        path = f"/v1/orgs/{org_id}/dead-letters"
        return self._walk(path, items.DeadLetter, after, project=project, connection=connection, status=status)

    def alerts(
        self,
        org_id: Id,
        *,
        project: Id | None = None,
        severity: items.Severity | None = None,
        after: str | None = None,
    ) -> AsyncGenerator[items.Alert]:
        return self._walk(f"/v1/orgs/{org_id}/alerts", items.Alert, after, project=project, severity=severity)

    def secret_refs(self, org_id: Id, *, after: str | None = None) -> AsyncGenerator[items.SecretRef]:
        return self._walk(f"/v1/orgs/{org_id}/secret-refs", items.SecretRef, after)

    def audit_log(  # noqa: PLR0913 - the API's filters
        self,
        org_id: Id,
        *,
        action: str | None = None,
        result: items.EntryResult | None = None,
        actor: Id | None = None,
        entity_type: str | None = None,
        entity: Id | None = None,
        project: Id | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
    ) -> AsyncGenerator[items.LogEntry]:
        chosen = {"action": action, "result": result, "actor": actor, "entity_type": entity_type, "entity": entity}
        within = {"project": project, "since": since, "until": until}
        return self._walk(f"/v1/orgs/{org_id}/audit-log", items.LogEntry, after, **chosen, **within)

    async def _walk(self, path: str, kind: type[Item], after: str | None, **filters: Value) -> AsyncGenerator[Item]:
        decoder = msgspec.json.Decoder(Page[kind])  # type: ignore[valid-type] # the class is a value here
        query = {name: _text(name, value) for name, value in filters.items() if value is not None}
        query["limit"] = str(self._page_items)
        page = await self._page(path, query if after is None else query | {"after": after}, decoder)
        while True:
            for item in page.items:
                yield item
            if page.next is None:
                return
            page = await self._page(path, query | {"cursor": page.next}, decoder)

    async def _page(self, path: str, query: dict[str, str], decoder: "msgspec.json.Decoder[Page[Item]]") -> Page[Item]:
        loop = asyncio.get_running_loop()
        attempts = Attempts(loop.time() + self._page_seconds, ATTEMPT_SECONDS)
        while True:
            found = await self._attempt(f"{path}?{urlencode(query)}", attempts.seconds(loop.time()), decoder)
            if isinstance(found, Page):
                return found
            pause = attempts.pause([found], loop.time())
            if pause is None:
                raise TimeoutError(f"{path}: no page within {self._page_seconds:g} s: {found.reason}")
            await asyncio.sleep(pause)

    async def _attempt(
        self, path: str, seconds: float, decoder: "msgspec.json.Decoder[Page[Item]]"
    ) -> Page[Item] | Again:
        try:
            answer = await self._session.ask("GET", path, seconds)
        except NoAnswer as reason:
            return Again(str(reason))
        match answer.status:
            case 200:
                try:
                    return decoder.decode(answer.body)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    return Again(f"the answer is not a page: {error}")
            case _:
                return read_failure(path, answer)


def read_failure(path: str, answer: Answer) -> Again:
    """Why the read failed, if another attempt may succeed. Else raises Misuse, CredentialsRefused or NotVisible."""
    match answer.status:
        case 400 | 422:
            raise Misuse(f"{path}: {detail(answer)}")
        case 403:
            raise CredentialsRefused(f"{path}: {detail(answer)}")
        case 404:
            raise NotVisible(f"{path}: {detail(answer)}")
        case status:
            return Again(f"HTTP {status}: {detail(answer)}", retry_after(answer.headers))


def _text(name: str, value: Value) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise Misuse(f"{name}: a time needs a time zone")
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)
