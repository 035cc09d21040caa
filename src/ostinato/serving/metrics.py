"""What Prometheus reads at /metrics."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_STEP = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0)


class Metrics:
    """Counters of one server. No label holds anything that a client sent: its paths are named by their routes.

    Attributes:
        sending: answers that are being sent.
    """

    def __init__(self) -> None:
        self.registry, self.sending = CollectorRegistry(), 0
        self.requests = Counter(
            "ostinato_requests", "Requests answered", ["route", "method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "ostinato_request_seconds",
            "From a request to the end of its answer",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.tokens = Counter("ostinato_tokens", "Tokens written", registry=self.registry)
        self.reloads = Counter(
            "ostinato_reloads", "Times that a run folder had another model", ["outcome"], registry=self.registry
        )
        self._steps = Histogram(
            "ostinato_step_seconds", "A step of some sequences of a model", buckets=_STEP, registry=self.registry
        )
        self._rows = Counter("ostinato_sequence_steps", "Steps, of each sequence its own", registry=self.registry)

    def step(self, rows: int, seconds: float) -> None:
        """Count a step of so many sequences."""
        self._steps.observe(seconds)
        self._rows.inc(rows)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a number as it is whenever it is asked for."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def page(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
