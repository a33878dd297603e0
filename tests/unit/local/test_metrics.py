"""Metrics are kept by minutes, and statistics are of whole minutes."""

import pytest

from local.metrics import Metric, Metrics

ERRORS = Metric("AWS/Lambda", "Errors", frozenset({("FunctionName", "a")}))


@pytest.fixture
def metrics():
    """Three data in two minutes, and a gap."""
    metrics = Metrics()
    for at_s, value in [(60, 1.0), (119.9, 3.0), (240, 8.0)]:
        metrics.put(ERRORS, value, at_s=at_s)
    return metrics


class TestStatistic:
    @pytest.mark.parametrize(
        ("statistic", "value"),
        [("Sum", 4), ("Average", 2), ("Maximum", 3), ("Minimum", 1), ("SampleCount", 2)],
    )
    def test_each(self, metrics, statistic, value):
        """
        Each statistic is of the data in the period, whose end is not in it.
        """
        assert metrics.statistic(ERRORS, statistic, start_s=60, end_s=240) == value

    @pytest.mark.parametrize("metric", [ERRORS, Metric("AWS/Lambda", "Errors")])
    def test_none(self, metrics, metric):
        """
        Where there is no datum with the same dimensions there is no statistic.
        """
        assert metrics.statistic(metric, "Sum", start_s=120, end_s=240) is None
