"""What a process says of itself: named conditions in, `/livez`, `/readyz` and `/metrics` out.
Which conditions there are is the service's to say.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from daybook_infra.runtime.logs import get_logger

STARTING = "starting"

log = get_logger(__name__)

Watch = Callable[[], str | None]


@dataclass(slots=True)
class Health:
    """Ready while no condition has a reason against it. Each change is logged once.
    `by`: who has the reason, where several need the same thing; that is well again when each of them has said so.
    """

    _reasons: dict[str, dict[object, str]] = field(default_factory=dict)
    _watches: dict[str, Watch] = field(default_factory=dict)
    _notes: dict[str, str] = field(default_factory=dict)

    def need(self, *conditions: str) -> None:
        """Names what has to be reported `ok` before the process is ready."""
        for condition in conditions:
            self._reasons.setdefault(condition, {None: STARTING})

    def ok(self, condition: str, by: object = None) -> None:
        """Also forgets it: a partition that was given away counts no more."""
        against = self._reasons.get(condition, {})
        if against.pop(by, None) is not None and not against:
            del self._reasons[condition]
            log.info("condition_ok", condition=condition)

    def fail(self, condition: str, reason: str, by: object = None) -> None:
        against = self._reasons.setdefault(condition, {})
        if reason not in against.values():
            log.warning("condition_failed", condition=condition, reason=reason)
        against[by] = reason

    def watch(self, condition: str, look: Watch) -> None:
        """`look` is called at each question; it answers at once with a reason, or None where all is well."""
        self._watches[condition] = look

    def note(self, subject: str, text: str | None) -> None:
        """What `/readyz` says beside the reasons: trouble that people must know of, yet the process stays ready."""
        if text is None:
            self._notes.pop(subject, None)
            return
        if self._notes.get(subject) != text:
            log.warning("noted", subject=subject, note=text)
        self._notes[subject] = text

    @property
    def notes(self) -> dict[str, str]:
        return dict(sorted(self._notes.items()))

    @property
    def reasons(self) -> dict[str, str]:
        seen = {condition: reason for condition, look in self._watches.items() if (reason := look()) is not None}
        told = {condition: next(iter(against.values())) for condition, against in self._reasons.items()}
        return dict(sorted({**seen, **told}.items()))

    @property
    def ready(self) -> bool:
        return not self.reasons


def health_router(health: Health, registry: CollectorRegistry = REGISTRY, *, details: bool = True) -> APIRouter:
    """`details` is False where strangers may ask: no reasons, no metrics."""
    router = APIRouter(tags=["health"])

    @router.get("/livez", summary="200 while the process turns")
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
