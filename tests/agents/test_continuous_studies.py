"""The quantities behind the verdicts, where the answer is known."""

import pytest

from promo_repro.agents import continuous_studies
from promo_repro.agents.continuous_case import TwoProducts
from promo_repro.recommender import losses

CASE = TwoProducts()


def test_constant_values_against_the_case():
    p, w = CASE.customers
    rest = CASE.response, CASE.memory, CASE.margin, CASE.paid, CASE.discount
    for level in (0.0, 0.15, 0.4):
        by_hand = w @ continuous_studies.constant_value(p, level, *rest).sum(axis=1)
        assert by_hand == pytest.approx(CASE.value(CASE.constant(level)))


def test_static_policies_have_their_order():
    shares = [
        continuous_studies.share_of(name) for name in ("none", "uniform", "segment-best", "oracle")
    ]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert continuous_studies.gain("oracle", "myopic", memory=0.0) == pytest.approx(0)
    assert continuous_studies.gain("segment-best", "uniform", base=(0.3, 0.3)) == pytest.approx(0)
    with pytest.raises(ValueError, match="no policy 'best'; choose from none"):
        continuous_studies.share_of("best")


def test_what_is_seen_and_what_is_rewarded():
    study = continuous_studies
    assert study.share_seeing("p and y") == pytest.approx(1)
    assert study.share_seeing("y") < study.share_seeing("p") < 1
    assert study.share_seeing("p and y", 0.2) < study.share_seeing("p and y", 0.02) < 1
    assert study.share_on_grid(2) < study.share_on_grid(9) < 1
    assert study.maximiser_share("profit") == pytest.approx(1)
    assert study.maximiser_share("purchase") < 0.8
    assert study.profit_gain("purchase") < 1 < study.purchases_gain("purchase")
    assert study.separate_share(0.0) == pytest.approx(1)
    assert study.separate_share(0.25) < 0.99
    assert study.discount_change(0.1, 0.0) < 0 < study.discount_change(0.0, 0.3)
    assert study.ensemble_gain(1, 0.05, 0) == pytest.approx(0)
    assert study.ensemble_gain(5, 0.05, 0) > 0


def test_purchases_and_rates():
    assert continuous_studies.purchase_ratio(1) == pytest.approx(
        continuous_studies.purchases_gain("profit")
    )
    assert continuous_studies.purchase_ratio(41) < 1.05
    assert continuous_studies.pair_rates(5, 3) == (5, 3, 1.0)


def test_printed_losses():
    study = continuous_studies
    assert study.minimising_rate(losses.discount_loss, [1, 0, 1]) == 1
    assert study.minimising_rate(lambda y, g: ((y - g) ** 2).sum(), [1, 0, 1, 0]) == 0.5
    assert study.earning_rate(0.2, 1.0) == pytest.approx(0.25)
    assert study.earning_rate_by_search(0.2, 1.0) == pytest.approx(0.25)
    assert study.coupling(losses.total_loss, False) == 0
    assert study.coupling(losses.total_loss, True) > 1e-4
    assert study.first_over_second("own", 0.9) == pytest.approx(1 / 1.9)
    assert study.first_over_second("standard", 0.9) == pytest.approx(1 / 0.9)


def test_what_ddpg_needs():
    study = continuous_studies
    assert study.identified_effects(0.0) == 3
    assert study.identified_effects(0.1) == 4
    assert study.draw_distance(100, 20_000, 100) < 0.05 < 0.8 < study.draw_distance(100, 9_999, 10)
    assert study.target_lag(0.5, 3) == pytest.approx(0.125)
    assert study.target_lag(1.0, 1) == 0


def test_the_bottleneck_matters_where_it_hides_something():
    study = continuous_studies
    assert study.bottleneck_share("apart", 0.0, steps=150) > 0.999
    assert study.bottleneck_share("apart", 0.5, steps=150) < 0.995
    assert study.bottleneck_share("end to end", 0.5, steps=150) > 0.998
    with pytest.raises(ValueError, match="no way 'both'; choose apart or end to end"):
        study.bottleneck_share("both", 0.5)


def test_results_are_read_back():
    study = continuous_studies
    low, value, high, worst = (
        study.committed("learning", "SAC", "memory", what)
        for what in ("lo", "value", "hi", "worst")
    )
    assert worst < value
    assert low < value < high <= 1
    with pytest.raises(ValueError, match="no SAC: nowhere; it has"):
        study.committed("learning", "SAC", "nowhere")
    crossing = study.interactions_to_beat("SAC", 0.99)
    assert study.interactions_to_beat("SAC", 0.5) < crossing < 1_024_000
    assert study.interactions_to_beat("SAC", 1.5) == float("inf")
