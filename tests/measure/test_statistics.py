"""Confidence intervals against published ones, lines against linear algebra."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snntb_adsnn.measure.statistics import Line, wilson


@pytest.mark.parametrize(
    ("hits", "count", "bounds"), [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))]
)  # fmt: skip
def test_wilson_intervals_are_newcombes(hits, count, bounds):
    """Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3."""
    assert wilson(hits / count, count) == pytest.approx(bounds, abs=6e-5)


@given(hits=st.integers(0, 50), more=st.integers(0, 50))
def test_wilson_intervals_hold_the_share_and_mirror(hits, more):
    count = hits + more + 1
    low, high = wilson(hits / count, count)
    assert 0 <= low <= hits / count <= high <= 1
    assert wilson(1 - hits / count, count) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_a_line_is_the_least_squares_solution():
    random = np.random.default_rng(0)
    x = random.uniform(20, 200, 9)
    y = 3 - 0.02 * x + random.normal(0, 0.4, 9)
    line = Line.through(x, y)
    (intercept, slope), *_ = np.linalg.lstsq(np.stack([np.ones(9), x], 1), y, rcond=None)
    assert (line.slope, line.intercept) == pytest.approx((slope, intercept))
    assert line.r2 == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)
    assert 0.1 < line.r2 < 0.95


def test_points_on_a_line():
    assert Line.through([1, 2, 4], [5, 7, 11]) == Line(pytest.approx(2), pytest.approx(3), pytest.approx(1))
    assert Line.through([1, 2, 4], [2, 2, 2]).r2 == 1
