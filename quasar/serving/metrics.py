"""What Prometheus reads at /metrics: requests, candidates, seconds. One registry an application."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

from quasar.schema.circuits import CircuitAnswer, Event, TurnVerified, TurnWritten

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)

__all__ = ["CONTENT_TYPE", "Metrics"]


class Metrics:
    """Counters and histograms of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        common: dict[str, Any] = {"registry": self.registry}
        self._requests = Counter(
            "quasar_requests", "Requests answered", ("route", "status"), **common
        )
        self._seconds = Histogram(
            "quasar_request_seconds",
            "Seconds from the request's head to the answer's end",
            ("route",),
            buckets=_SECONDS,
            **common,
        )
        self.in_flight = Gauge("quasar_requests_in_flight", "Requests at work", **common)
        self._phases = Histogram(
            "quasar_turn_seconds",
            "Seconds of a turn",
            ("model", "phase"),
            buckets=_SECONDS,
            **common,
        )
        self._candidates = Counter(
            "quasar_candidates", "Candidates by outcome", ("model", "outcome"), **common
        )
        self._answers = Counter(
            "quasar_answers", "Answers by validity", ("model", "valid"), **common
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one request. route: the path's template, so that labels stay few."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def event(self, model: str, event: Event) -> None:
        """Count what an event of a search tells. model: the name of one that is served."""
        if isinstance(event, TurnWritten):
            self._phases.labels(model, "generation").observe(event.seconds)
        elif isinstance(event, TurnVerified):
            self._phases.labels(model, "verification").observe(event.seconds)
        elif isinstance(event, CircuitAnswer):
            self._answers.labels(model, str(event.valid).lower()).inc()
            for outcome in ("valid", "invalid", "unverified"):
                count = getattr(event.candidates, outcome)
                self._candidates.labels(model, outcome).inc(count)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
