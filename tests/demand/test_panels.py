"""Panels from synthetic tables, and refusals."""

from dataclasses import replace

import numpy as np
import pytest

from promo_repro.datasets import complete_journey, synthetic
from promo_repro.demand import panels
from tests.demand.conftest import panel_of


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("PROMO_REPRO_CACHE", str(tmp_path_factory.mktemp("cache")))
    tables = synthetic.complete_journey(np.random.default_rng(1), lines=6_000)
    yield complete_journey.load(tables.write(tmp_path_factory.mktemp("raw")))
    patch.undo()


def units_of(journey, where):
    sql = f"SELECT sum(quantity) AS u FROM transactions JOIN products USING (product_id) {where}"
    return journey.query(sql)["u"][0]


def test_daily_departments(journey):
    panel = panels.daily_departments(journey)
    assert panel.units.shape[1] == 357
    assert panel.origins == (301, 315, 329, 343)
    assert panel.calendar[:10, 0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    total = "WHERE date BETWEEN '2017-01-02' AND '2017-12-24'"
    assert set(panel.series) == {"GROCERY, National", "GROCERY, Private"}
    assert panel.units.sum() == units_of(journey, total)


def test_weekly_categories(journey):
    panel = panels.weekly_categories(journey, count=3)
    assert panel.units.shape == (3, 51)
    assert panel.origins == (31, 35, 39, 43, 47)
    everything = panels.weekly_categories(journey, count=99)
    assert everything.units.sum() == units_of(journey, "WHERE week BETWEEN 2 AND 52")
    chosen = np.sort(everything.units[:, :31].sum(axis=1))[-3:]
    assert np.sort(panel.units[:, :31].sum(axis=1)) == pytest.approx(chosen)


def test_product_weeks(journey):
    panel = panels.product_weeks(journey, weeks_sold=20, least_units=50)
    assert panel.plan.shape == (*panel.units.shape, 3)
    assert (panel.plan[..., 0] <= 1e-12).all()
    assert ((panel.plan[..., 1:] >= 0) & (panel.plan[..., 1:] <= 1)).all()
    row = panel.series[0]
    assert panel.units[0].sum() == units_of(
        journey, f"WHERE product_id = {row} AND week BETWEEN 2 AND 52"
    )
    past = panel.units[:, :31]
    least = np.sort(past.sum(axis=1))[8]
    fewer = panels.product_weeks(journey, weeks_sold=20, least_units=least)
    assert (fewer.units[:, :31].sum(axis=1) >= least).all()
    assert len(fewer.series) == (past.sum(axis=1) >= least).sum() < len(panel.series)


def test_what_comes_after_the_first_origin_does_not_choose_the_series(journey):
    later = journey.transactions["week"] >= 33
    less = replace(journey, transactions=journey.transactions[~later])
    for make in (panels.weekly_categories, panels.product_weeks):
        options = {} if make is panels.weekly_categories else {"weeks_sold": 20, "least_units": 50}
        assert make(less, **options).series == make(journey, **options).series


def test_panel_views():
    panel = panel_of(np.arange(40.0).reshape(2, 20))
    assert panel.actual(12).tolist() == [[12, 13, 14, 15], [32, 33, 34, 35]]
    assert panel.take([1]).units[0, 0] == 20
    planned = replace(panel, plan=np.ones((2, 20, 2)))
    assert planned.without_plan().plan.shape == (2, 20, 0)


def test_refusals():
    good = panel_of(np.ones((2, 20)))
    for value in (np.nan, -1):
        units = good.units.copy()
        units[0, 3] = value
        with pytest.raises(ValueError, match="NaN or negative"):
            replace(good, units=units)
    with pytest.raises(ValueError, match="do not describe the same series"):
        replace(good, plan=np.ones((3, 20, 1)))
    with pytest.raises(ValueError, match="do not describe the same series"):
        replace(good, calendar=np.ones((19, 1)))
    with pytest.raises(ValueError, match="leaves fewer than 4 of 20"):
        replace(good, origins=(17,))


def test_weekly_totals(journey):
    raw, clean = panels.weekly_totals(journey)
    assert len(raw) == len(clean) == 51
    assert clean.sum() == units_of(journey, "WHERE week BETWEEN 2 AND 52")
    assert (raw >= clean).all()
    assert raw.sum() > 5 * clean.sum()
