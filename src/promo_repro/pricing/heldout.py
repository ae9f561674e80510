"""Learned discounts against rules and static prices, on weeks 40 to 52 of the data.

Everything is learned on weeks 21 to 39 with households described by weeks 2 to 20. A rule is
valued in two ways that share nothing with the learning: by a choice model fitted on the held-out
trips alone, and by replay of the trips on which the shelf happened to show the rule's depth.

`python -m promo_repro.pricing.heldout` writes data/results/05_pricing/personal.json.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from promo_repro.datasets import complete_journey
from promo_repro.datasets.complete_journey import CompleteJourney
from promo_repro.pricing import personal
from promo_repro.pricing.personal import MENU, Offers
from promo_repro.response import load, logit, panels
from promo_repro.response.fit import CATEGORIES, write
from promo_repro.response.panels import INITIAL, LAST, TRAINED, CategoryTrips

COMMAND = "python -m promo_repro.pricing.heldout"
MARGINS, FUNDINGS = (0.2, 0.3, 0.4, 0.5), (0.0, 0.5)
CENTRAL = (0.3, 0.0)  # margin and funding of the scenario that the text quotes
SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Judge:
    """The choice model of one category fitted on held-out trips: who values the rules."""

    fit: logit.LogitFit
    trips: CategoryTrips
    favourite: np.ndarray

    def odds(self, vector):
        return personal.favourite_odds(vector, self.trips, self.favourite)


@dataclass(frozen=True)
class Data:
    """Trips to learn from, the held-out trips, and one judge for each category."""

    train: Offers
    test: Offers
    judges: tuple[Judge, ...]

    def judged(self, rng=None) -> Offers:
        """The held-out trips with the odds of the judges; redrawn from their errors with `rng`."""
        parts = []
        for judge in self.judges:
            vector = judge.fit.vector
            if rng is not None:
                vector = rng.multivariate_normal(vector, judge.fit.covariance, method="eigh")
            parts.append(judge.odds(vector))
        own, others, slope = map(np.concatenate, zip(*parts, strict=True))
        return replace(self.test, own=own, others=others, slope=slope)

    def thinned(self, step: int) -> tuple["Data", np.ndarray]:
        """Every `step`-th held-out trip of each category, and their positions."""
        starts = np.cumsum([0] + [len(judge.favourite) for judge in self.judges])
        parts = [np.arange(a, b, step) for a, b in pairwise(starts)]
        judges = tuple(
            Judge(judge.fit, judge.trips.take(part - part[0]), judge.favourite[part - part[0]])
            for judge, part in zip(self.judges, parts, strict=True)
        )
        rows = np.concatenate(parts)
        return Data(self.train, self.test.take(rows), judges), rows


def judge_of(trips: CategoryTrips) -> tuple[Judge, np.ndarray]:
    """The choice model of these trips, and which of them it can judge.

    A product that nobody chose in these weeks has no intercept; trips whose favourite it is are
    left out.
    """
    j = trips.share.shape[1]
    chosen = np.intersect1d(np.arange(j), trips.data.choice - 1)
    favourite = trips.share.argmax(axis=1)
    kept = np.isin(favourite, chosen)
    renumbered = np.concatenate([[0], np.searchsorted(chosen, np.arange(j)) + 1])
    some = CategoryTrips(
        logit.Choices(
            trips.data.features[:, chosen], renumbered[trips.data.choice], trips.data.cluster
        ),
        trips.segment,
        trips.week,
        trips.depth[:, chosen],
        trips.price_ratio[:, chosen],
        trips.share[:, chosen],
        trips.rate,
    )
    fitted = logit.fit(some.data)
    some = some.take(kept)
    return Judge(fitted, some, some.share.argmax(axis=1)), kept


def data(journey: CompleteJourney, names=tuple(CATEGORIES), most=25_000, seed=0) -> Data:
    """The trips of the named categories before and after the end of week 39."""
    parameters, segments = load(), panels.deal_segments(journey)
    history = personal.household_history(journey)
    train, test, judges = [], [], []
    for number, (name, rng) in enumerate(
        zip(names, np.random.default_rng(seed).spawn(len(names)), strict=True)
    ):
        found = panels.category(journey, CATEGORIES[name], segments)
        vector = parameters.category(name).vector
        for weeks, parts in (((INITIAL + 1, TRAINED), train), ((TRAINED + 1, LAST), test)):
            trips = panels.category_trips(journey, found, weeks, most, rng)
            offers = personal.category_offers(
                number, trips, found.median_price, vector, history, len(names)
            )
            if parts is test:
                judge, kept = judge_of(trips)
                judges.append(judge)
                offers = offers.take(kept)
            parts.append(offers)
    return Data(personal.joined(train), personal.joined(test), tuple(judges))


def rules(trips: Data, margin: float, funding: float, network, history) -> dict[str, np.ndarray]:
    """Depth index of each held-out trip under each rule, learned on the earlier weeks."""
    train, test = trips.train, trips.test
    static = personal.segment_rule(train, personal.logit_profits(train, margin, funding))
    learned = personal.network_profits(network, test, margin, funding).argmax(axis=1)
    return {
        "10 % for everybody": np.ones(len(test.price), int),
        "20 % for everybody": np.full(len(test.price), 2),
        "rule engine": personal.rule_engine(test),
        "static segment price": personal.by_segment(test, static),
        "logit of the household": personal.logit_profits(test, margin, funding).argmax(axis=1),
        "network, history of discounts": history.probabilities(test.features).argmax(axis=1),
        "network, response to discounts": learned,
    }


def judged_gains(trips: Data, choices, scenarios, draws=100, step=5, seed=0) -> dict:
    """Gain over no discount in dollars per 1,000 trips: (value, low, high) by scenario and rule.

    `choices[scenario]` maps rules to depth indices. The limits are 2.5 and 97.5 % quantiles over
    redraws of the judges' coefficients; every `step`-th trip is valued.
    """
    few, rows = trips.thinned(step)
    rng = np.random.default_rng(seed)

    def values(offers):
        return {
            (scenario, name): 1_000 * personal.policy_gain(profits, choice[rows])
            for scenario in scenarios
            for profits in [personal.logit_profits(offers, *scenario)]
            for name, choice in choices[scenario].items()
        }

    estimate = values(few.judged())
    drawn = [values(few.judged(rng)) for _ in range(draws)]
    return {
        key: (value, *np.quantile([draw[key] for draw in drawn], [0.025, 0.975]).tolist())
        for key, value in estimate.items()
    }


def replayed_gains(trips: Data, choices, margin, funding) -> dict:
    """Gain over no discount in dollars per 1,000 trips by replay, clustered by product-week."""
    test = trips.test
    shown = test.arm < len(MENU)
    test = test.take(shown)
    propensity = personal.shelf_propensity(test.product, test.week, test.arm, len(MENU))
    reward = personal.realised_profit(test, margin, funding)
    return {
        name: tuple(
            1_000 * x
            for x in personal.replay_gain(
                reward, test.arm, propensity, choice[shown], test.product * 100 + test.week
            )
        )
        for name, choice in choices.items()
    }


def table(trips: Data, seeds=SEEDS, draws=100, device="cpu") -> list[dict]:
    """All rules in all scenarios by both yardsticks, the networks' gains averaged over seeds."""
    scenarios = [(margin, funding) for margin in MARGINS for funding in FUNDINGS]
    runs = []
    for seed in seeds:
        network = personal.learn_response(trips.train, seed, device)
        history = personal.learn_history(trips.train, seed, device)
        choices = {s: rules(trips, *s, network, history) for s in scenarios}
        replayed = {
            (s, name): gain
            for s in scenarios
            for name, gain in replayed_gains(trips, choices[s], *s).items()
        }
        runs.append((choices, judged_gains(trips, choices, scenarios, draws), replayed))
    return [
        _row(metric, scenario, name, [run[place][scenario, name] for run in runs], offered)
        for place, metric in ((1, "judged"), (2, "replayed"))
        for scenario in scenarios
        for name in runs[0][0][scenario]
        for offered in [np.mean([(run[0][scenario][name] > 0).mean() for run in runs])]
    ]


def _row(metric, scenario, name, gains, offered) -> dict:
    value, low, high = np.mean(gains, axis=0)
    return {
        "method": name,
        "metric": metric,
        "margin": scenario[0],
        "funding": scenario[1],
        "value": float(value),
        "lo": float(low),
        "hi": float(high),
        "spread_of_seeds": float(np.std([gain[0] for gain in gains])),
        "offered": float(offered),
        "n": len(gains),
    }


def spot_check(trips: Data) -> float:
    """Gain of 20 % for everybody in the central scenario, dollars per 1,000 trips.

    The chapter recomputes it on the eggs alone and compares it with the stored one.
    """
    choices = {CENTRAL: {"20 %": np.full(len(trips.test.price), 2)}}
    return judged_gains(trips, choices, [CENTRAL], draws=2)[CENTRAL, "20 %"][0]


def tendency_gain(trips: Data, seed: int) -> float:
    """Held-out log-likelihood per trip of a network's predictions less that of base rates."""
    model = personal.learn_response(trips.train, seed)
    inputs = np.concatenate([trips.test.features, trips.test.shelf], axis=1)
    q = model.probabilities(inputs)
    base = np.bincount(trips.train.outcome, minlength=3) / len(trips.train.outcome)
    happened = trips.test.outcome
    return float(np.log(q[np.arange(len(q)), happened]).mean() - np.log(base[happened]).mean())


def scrambled(trips: Data, seed: int) -> Data:
    """The same trips with the learning outcomes in random order: there is nothing to learn."""
    outcome = np.random.default_rng(seed).permutation(trips.train.outcome)
    return replace(trips, train=replace(trips.train, outcome=outcome))


SPOT = ("eggs",)
SPOT_TRIPS = 4_000


def main() -> None:
    journey = complete_journey.load()
    trips = data(journey)
    write(
        "personal",
        COMMAND,
        table(trips),
        False,
        seeds=list(SEEDS),
        trips=len(trips.test.price),
        spot=spot_check(data(journey, SPOT, SPOT_TRIPS)),
    )


if __name__ == "__main__":
    main()
