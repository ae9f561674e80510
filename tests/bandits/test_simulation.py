"""The simulation against plain Python loops, and what must not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promo_repro.bandits import policies
from promo_repro.bandits import simulation as room
from promo_repro.bandits.environments import BernoulliArms, switching_rates
from promo_repro.bandits.simulation import History, simulate
from promo_repro.bandits.studies import stream

RATES = np.r_[np.arange(2, 11), 12] / 100


def textbook(choose, rates, horizon, runs, seed):
    """Pseudo-regret of a policy as a textbook writes it: one run, one decision at a time."""
    rng = np.random.default_rng(seed)
    lost = np.zeros(runs)
    for run in range(runs):
        pulls, wins = [0] * len(rates), [0] * len(rates)
        for t in range(horizon):
            arm = choose(pulls, wins, t, rng)
            pulls[arm] += 1
            wins[arm] += rng.random() < rates[arm]
            lost[run] += max(rates) - rates[arm]
    return lost


def epsilon_greedy(pulls, wins, t, rng):
    if rng.random() < 0.1:
        return int(rng.integers(len(pulls)))
    means = [w / n if n else 0.0 for w, n in zip(wins, pulls, strict=True)]
    return means.index(max(means))


def ucb1(pulls, wins, t, rng):
    if t < len(pulls):
        return t
    bounds = [w / n + (2 * np.log(t) / n) ** 0.5 for w, n in zip(wins, pulls, strict=True)]
    return bounds.index(max(bounds))


def thompson(pulls, wins, t, rng):
    rates = [rng.beta(1 + w, 1 + n - w) for w, n in zip(wins, pulls, strict=True)]
    return rates.index(max(rates))


@pytest.mark.parametrize(
    ("policy", "loop"),
    [
        (policies.EpsilonGreedy(0.1), epsilon_greedy),
        (policies.UCB1(), ucb1),
        (policies.Thompson(), thompson),
    ],
)
def test_regret_agrees_with_a_textbook_loop(policy, loop):
    rates = [0.2, 0.5, 0.35]
    theirs = textbook(loop, rates, 200, 300, seed=7)
    arms = BernoulliArms(rates)
    ours = simulate(policy, arms, 200, 4000, stream(8), random_order=False).regret[:, -1]
    error = np.hypot(theirs.std() / theirs.size**0.5, ours.std() / ours.size**0.5)
    assert abs(ours.mean() - theirs.mean()) < 3 * error


@pytest.mark.parametrize(
    ("policy", "anchor"),
    [
        (policies.EpsilonGreedy(0.1), 39.2),
        (policies.UCB1(), 49.0),
        (policies.Thompson(), 36.0),
    ],
)
def test_regret_agrees_with_other_implementations(policy, anchor):
    """Anchors: two independent implementations (NumPy and numba), first arm wins a tie."""
    result = simulate(policy, BernoulliArms(RATES), 1000, 4096, stream(9), random_order=False)
    assert result.mean_regret[-1] == pytest.approx(
        anchor, abs=3 * result.half_width[-1] / 1.96 + 0.3
    )


def test_pulls_and_regret_belong_together():
    result = simulate(policies.Softmax(0.05), BernoulliArms(RATES), 300, 50, stream(1))
    assert (result.pulls.sum(axis=1) == 300).all()
    assert (result.successes <= result.pulls).all()
    assert policies.pseudo_regret(result.pulls, RATES) == pytest.approx(result.regret[:, -1])
    assert (np.diff(result.regret, axis=1) >= 0).all()
    assert result.checkpoints[0] == 1
    assert result.checkpoints[-1] == 300


def test_successes_come_at_the_arms_rates():
    result = simulate(policies.EpsilonGreedy(1.0), BernoulliArms([0.1, 0.6]), 500, 400, stream(1))
    assert result.successes.sum(axis=0) / result.pulls.sum(axis=0) == pytest.approx(
        [0.1, 0.6], abs=0.01
    )


@settings(max_examples=15)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.integers(1, 40), st.integers(1, 9))
def test_pseudo_regret_is_never_negative(rates, horizon, runs):
    for policy in (policies.EpsilonGreedy(0.3), policies.UCB1(), policies.Thompson()):
        result = simulate(policy, BernoulliArms(rates), horizon, runs, stream(0))
        assert (result.regret >= 0).all()
        assert (result.pulls.sum(axis=1) == horizon).all()


@pytest.mark.parametrize(
    "policy", [policies.EpsilonGreedy(0.1), policies.Softmax(0.05), policies.Thompson()]
)
def test_relabelling_the_arms_changes_nothing_in_distribution(policy):
    forward = simulate(policy, BernoulliArms(RATES), 200, 3000, stream(2))
    backward = simulate(policy, BernoulliArms(RATES[::-1]), 200, 3000, stream(3))
    error = np.hypot(forward.half_width[-1], backward.half_width[-1]) / 1.96
    assert abs(forward.mean_regret[-1] - backward.mean_regret[-1]) < 4 * error
    assert forward.pulls.mean(axis=0) == pytest.approx(backward.pulls.mean(axis=0)[::-1], abs=2.5)


def test_more_replications_do_not_change_the_first_ones(monkeypatch):
    monkeypatch.setattr(room, "CELLS_PER_BLOCK", 40)
    arms = BernoulliArms([0.2, 0.4])
    few = simulate(policies.Thompson(), arms, 50, 40, stream(4))
    many = simulate(policies.Thompson(), arms, 50, 65, stream(4))
    assert (many.pulls[:40] == few.pulls).all()
    assert (many.regret[:40] == few.regret).all()
    assert not (many.pulls[:20] == many.pulls[20:40]).all()


def test_one_seed_gives_one_result():
    runs = [simulate(policies.UCB1(), BernoulliArms(RATES), 50, 5, stream(6)) for _ in range(2)]
    assert (runs[0].regret == runs[1].regret).all()


def test_ucb1_pulls_each_arm_once_before_any_again():
    arms = BernoulliArms([1.0, 0.0, 1.0, 0.5, 1.0])
    for horizon in range(1, 6):
        result = simulate(policies.UCB1(), arms, horizon, 30, stream(0))
        assert (np.sort(result.pulls, axis=1)[:, -horizon:] == 1).all()
        assert (result.pulls.sum(axis=1) == horizon).all()


def test_batched_updates_are_seen_late_and_lost_never():
    arms = BernoulliArms([1.0, 0.0])
    result = simulate(
        policies.EpsilonGreedy(0.0), arms, 5, 40, stream(0), update_every=3, random_order=False
    )
    assert (result.pulls == [5, 0]).all()
    late = simulate(
        policies.EpsilonGreedy(0.0),
        BernoulliArms([0.0, 1.0]),
        10,
        40,
        stream(0),
        update_every=4,
        random_order=False,
    )
    assert (late.pulls.sum(axis=1) == 10).all()
    uncertain = simulate(
        policies.UCB1(), arms, 8, 40, stream(0), update_every=4, random_order=False
    )
    # Four blind pulls of arm 0, then four of the unseen arm 1.
    assert (uncertain.pulls == [4, 4]).all()


def test_values_turn_success_rates_into_rewards():
    arms = BernoulliArms([0.9, 0.5], [1.0, 8.0])
    assert arms.means.tolist() == [0.9, 4.0]
    for policy in (policies.Thompson(), policies.UCB1(), policies.EpsilonGreedy(0.1)):
        result = simulate(policy, arms, 400, 200, stream(0))
        assert result.pulls[:, 1].mean() > 300


# --- memory ---------------------------------------------------------------------------------


def test_discounted_history_by_hand():
    seen = History(2, 1, discount=0.5)
    for arm, reward in [(0, 1.0), (1, 0.0), (0, 1.0)]:
        seen.record(np.array([arm]), np.array([reward], np.float32))
    assert seen.pulls[:, 0].tolist() == [1.25, 0.5]
    assert seen.successes[:, 0].tolist() == [1.25, 0]
    assert seen.plays == 1.75
    assert seen.means()[:, 0].tolist() == [1, 0]


def test_windowed_history_by_hand():
    seen = History(2, 1, window=2)
    for arm, reward in [(0, 1.0), (1, 0.0), (1, 1.0), (1, 1.0)]:
        seen.record(np.array([arm]), np.array([reward], np.float32))
    assert seen.pulls[:, 0].tolist() == [0, 2]
    assert seen.successes[:, 0].tolist() == [0, 2]
    assert seen.plays == 2


@pytest.mark.parametrize(
    ("policy", "memory"),
    [
        (policies.Thompson, {"discount": 0.98}),
        (policies.Thompson, {"window": 300}),
        (policies.UCB1, {"window": 300}),
    ],
)
def test_forgetting_follows_a_change(policy, memory):
    arms = BernoulliArms(switching_rates([0.9, 0.2], [0.2, 0.9], 3000, 2500))

    def late_loss(policy):
        result = simulate(policy, arms, 3000, 100, stream(0), checkpoints=[2500, 3000])
        assert (result.pulls.sum(axis=1) == 3000).all()
        return result.mean_regret[1] - result.mean_regret[0]

    assert late_loss(policy(**memory)) < 0.8 * late_loss(policy())


def test_switching_rates_switch_on_time():
    rates = switching_rates([0.1], [0.2], 4, 2)
    assert rates.tolist() == [[0.1], [0.1], [0.2], [0.2]]
    with pytest.raises(ValueError, match="differ in shape"):
        switching_rates([0.1], [0.2, 0.3], 4, 2)


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon": 0}, "horizon is 0; it must be a whole number of at least 1"),
        ({"horizon": -5}, "horizon is -5"),
        ({"horizon": 2.5}, "horizon is 2.5"),
        ({"replications": 0}, "replications is 0"),
        ({"update_every": 0}, "update_every is 0"),
        ({"checkpoints": [0, 5]}, "between 1 and the horizon 10"),
        ({"checkpoints": [11]}, "between 1 and the horizon 10"),
        ({"checkpoints": []}, "between 1 and the horizon 10"),
        ({"arms": BernoulliArms(np.full((9, 2), 0.5))}, "covers 9 time steps; the horizon is 10"),
    ],
)
def test_bad_settings_are_refused(change, message):
    settings = {"arms": BernoulliArms([0.1, 0.2]), "horizon": 10, "replications": 3} | change
    with pytest.raises(ValueError, match=message):
        simulate(policies.UCB1(), rng=stream(0), **settings)


@pytest.mark.parametrize(
    ("rates", "values", "message"),
    [
        ([0.1, np.nan], None, "rates contains NaN"),
        ([0.1, 1.2], None, r"outside \[0, 1\]; give rates as fractions, not percent"),
        ([], None, "rates is empty"),
        (np.full((2, 2, 2), 0.5), None, r"expected \(N,\) or \(T, N\)"),
        ([0.1, 0.2], [1.0], "one non-negative number per arm"),
        ([0.1, 0.2], [1.0, -1.0], "one non-negative number per arm"),
    ],
)
def test_bad_arms_are_refused(rates, values, message):
    with pytest.raises(ValueError, match=message):
        BernoulliArms(rates, values)
