"""Reports whether a process is alive and ready: named conditions in, `/livez`, `/readyz` and `/metrics` out. Each
service names its own conditions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from pydantic import BaseModel

from daybook_infra.runtime.logs import get_logger

STARTING = "starting"

log = get_logger(__name__)

Check = Callable[[], str | None]


@dataclass(slots=True)
class Health:
    """Ready while no condition has failed. Each change is logged once.

    `by` names the reporter, if several report the same condition. Such a condition is ok when every reporter that
    reported a failure has reported `ok`.
    """

    _reasons: dict[str, dict[object, str]] = field(default_factory=dict)
    _checks: dict[str, Check] = field(default_factory=dict)
    _notes: dict[str, str] = field(default_factory=dict)

    def require(self, *conditions: str) -> None:
        """The process is unready until each of these is reported `ok`."""
        for condition in conditions:
            self._reasons.setdefault(condition, {None: STARTING})

    def ok(self, condition: str, by: object = None) -> None:
        """Also call this when a condition no longer applies, for example because a partition was given away."""
        reasons = self._reasons.get(condition, {})
        if reasons.pop(by, None) is not None and not reasons:
            del self._reasons[condition]
            log.info("condition_recovered", condition=condition)

    def fail(self, condition: str, reason: str, by: object = None) -> None:
        reasons = self._reasons.setdefault(condition, {})
        if reason not in reasons.values():
            log.warning("condition_failed", condition=condition, reason=reason)
        reasons[by] = reason

    def watch(self, condition: str, check: Check) -> None:
        """Calls `check` whenever readiness is requested. `check` must not wait. It returns the reason for a failure, or
        None.
        """
        self._checks[condition] = check

    def note(self, subject: str, text: str | None) -> None:
        """A problem that `/readyz` shows although the process stays ready. None removes the note."""
        if text is None:
            self._notes.pop(subject, None)
            return
        if self._notes.get(subject) != text:
            log.warning("note_added", subject=subject, note=text)
        self._notes[subject] = text

    @property
    def notes(self) -> dict[str, str]:
        return dict(sorted(self._notes.items()))

    @property
    def reasons(self) -> dict[str, str]:
        checked = {condition: reason for condition, check in self._checks.items() if (reason := check()) is not None}
        reported = {condition: next(iter(reasons.values())) for condition, reasons in self._reasons.items()}
        return dict(sorted({**checked, **reported}.items()))

    @property
    def ready(self) -> bool:
        return not self.reasons


class Liveness(BaseModel):
    status: Literal["alive"]


class Readiness(BaseModel):
    """`reasons` by condition, and `notes` by subject; only where strangers cannot see them."""

    status: Literal["ready", "unready"]
    reasons: dict[str, str] | None = None
    notes: dict[str, str] | None = None


def health_router(health: Health, registry: CollectorRegistry = REGISTRY, *, details: bool = True) -> APIRouter:
    """`details` is False for a port that strangers can reach: then there are no reasons and no metrics."""
    router = APIRouter(tags=["health"])
    alive = Liveness(status="alive")

    @router.head("/livez", include_in_schema=False)
    @router.get("/livez", summary="200 while the process runs", responses={200: _described(alive)})
    async def livez() -> JSONResponse:
        return _json(alive)

    def readiness(reasons: dict[str, str], notes: dict[str, str]) -> Readiness:
        status: Literal["ready", "unready"] = "unready" if reasons else "ready"
        return Readiness(status=status, reasons=reasons, notes=notes or None) if details else Readiness(status=status)

    @router.head("/readyz", include_in_schema=False)
    @router.get(
        "/readyz",
        summary="200 when ready, else 503 with the reasons",
        responses={200: _described(readiness({}, {})), 503: _described(readiness({"kafka": "cannot be reached"}, {}))},
    )
    async def readyz() -> JSONResponse:
        reasons = health.reasons
        return _json(readiness(reasons, health.notes), status=503 if reasons else 200)

    if not details:
        return router

    @router.head("/metrics", include_in_schema=False)
    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    return router


def _json(body: BaseModel, status: int = 200) -> JSONResponse:
    return JSONResponse(body.model_dump(exclude_none=True), status_code=status)


def _described(example: BaseModel) -> dict[str, Any]:
    """An answer of the OpenAPI document."""
    content = {"application/json": {"example": example.model_dump(exclude_none=True)}}
    return {"model": type(example), "content": content}
