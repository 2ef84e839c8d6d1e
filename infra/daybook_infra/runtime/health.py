"""Reports whether a process is alive and ready: named conditions in, `/livez`, `/readyz` and `/metrics` out. Each
service names its own conditions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from daybook_infra.runtime.logs import get_logger

STARTING = "starting"

log = get_logger(__name__)

Check = Callable[[], str | None]


@dataclass(slots=True)
class Health:
    """Ready while no condition has failed. Each change is logged once.

    `by` names the reporter, if several report the same condition. It is ok once every reporter that reported a failure
    has reported `ok`.
    """

    _reasons: dict[str, dict[object, str]] = field(default_factory=dict)
    _checks: dict[str, Check] = field(default_factory=dict)
    _notes: dict[str, str] = field(default_factory=dict)

    def require(self, *conditions: str) -> None:
        """The process is unready until each of these is reported `ok`."""
        for condition in conditions:
            self._reasons.setdefault(condition, {None: STARTING})

    def ok(self, condition: str, by: object = None) -> None:
        """Also call it for a condition that no longer applies, such as that of a partition that was given away."""
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
        """Calls `check` whenever readiness is requested. It must return at once: the reason of a failure, or None."""
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


def health_router(health: Health, registry: CollectorRegistry = REGISTRY, *, details: bool = True) -> APIRouter:
    """Without `details` there are no reasons and no metrics, for a port that strangers can reach."""
    router = APIRouter(tags=["health"])

    @router.get("/livez", summary="200 while the process runs")
    async def livez() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @router.get("/readyz", summary="200 when ready, else 503 with the reasons", responses={503: {}})
    async def readyz() -> JSONResponse:
        reasons = health.reasons
        body: dict[str, object] = {"status": "unready" if reasons else "ready"}
        if details:
            body |= {"reasons": reasons} | ({"notes": health.notes} if health.notes else {})
        return JSONResponse(body, status_code=503 if reasons else 200)

    if not details:
        return router

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    return router
