import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info
from prometheus_client.metrics import MetricWrapperBase

from services import metrics

ROOT = Path(__file__).parents[2]
OURS = {name: each for name, each in vars(metrics).items() if isinstance(each, MetricWrapperBase)}
CLOSED = {
    "source", "outcome", "reason", "survey", "step", "channel", "provider", "validity", "room", "topic", "event",
    "route", "method", "status", "tick", "sweep", "part", "standing",
}  # fmt: skip
"""Labels whose values are few, and known in advance."""
CONTRACT = {
    "tickets_closed_total": {"source"},
    "decisions_total": {"outcome", "reason"},
    "surveys_due_total": {"survey", "step"},
    "survey_first_contact_seconds": set(),
    "surveys_at_risk": set(),
    "surveys_overdue": set(),
    "deliveries_total": {"channel", "provider", "outcome"},
    "uncertain_total": {"channel"},
    "responses_total": {"survey", "channel", "validity"},
    "satisfaction_ratio": {"survey"},
    "scanner_visits_total": set(),
    "outbox_rows": {"room"},
    "outbox_oldest_seconds": {"room"},
    "consumer_lag": {"room", "topic"},
    "dead_letters_total": {"topic", "reason"},
    "handler_seconds": {"room", "event", "outcome"},
    "http_request_seconds": {"room", "route", "method", "status"},
}
"""The names on which other people's dashboards and alarms hang."""


def _name(metric: MetricWrapperBase) -> str:
    return str(metric._name) + ("_total" if isinstance(metric, Counter) else "")


@pytest.mark.parametrize("metric", OURS.values(), ids=OURS)
def test_a_metric_says_what_it_is(metric: MetricWrapperBase) -> None:
    name = _name(metric)
    assert re.fullmatch(r"huifang_[a-z_]+", name)
    assert metric._documentation.endswith(".")
    assert set(metric._labelnames) <= CLOSED
    if isinstance(metric, Histogram):
        assert name.endswith("_seconds")
    assert isinstance(metric, Counter | Gauge | Histogram | Info)


@pytest.mark.parametrize("name", CONTRACT)
def test_what_dashboards_hang_on_is_there(name: str) -> None:
    found = {_name(each): set(each._labelnames) for each in OURS.values()}
    assert found[f"huifang_{name}"] == CONTRACT[name]


def test_the_names_and_help_of_all_metrics_are_registered_once() -> None:
    families = [family.name for family in REGISTRY.collect() if family.name.startswith("huifang")]
    assert len(families) == len(set(families)) == len(OURS)


def test_first_contact_is_told_in_hours_of_the_two_days_that_are_promised() -> None:
    bounds = metrics.FIRST_CONTACT._upper_bounds
    assert {24 * 3600, 48 * 3600} <= set(bounds)
    assert bounds == sorted(bounds)


def test_the_manual_names_metrics_that_exist() -> None:
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "docs").rglob("*.md")]
    written = {name for text in texts for name in re.findall(r"`(huifang_[a-z_]+)[`{]", text)}
    assert written <= {_name(each) for each in OURS.values()}
    assert "huifang_uncertain_total" in written
