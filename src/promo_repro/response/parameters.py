"""What the fitted response model says about a shop: numbers, standard errors, and redraws.

A shop has C categories. In category c a customer on a shopping trip buys one of J products or
none, by a conditional logit with an outside option:

    V_hj = a_j + λ log(share_hj) + ρ log(rate_h) + β_seg(h) log(p_j / median_j) + δ D_j + μ M_j,

V_h0 = 0, with the customer's initial share of product j and rate of buying the category, the price
relative to the median regular price, and display and mailer. Everything here is an aggregate: no
row of a household and no product id is kept.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from promo_repro.project import root

SEGMENTS = ("low", "middle", "high")
PATH = "data/results/05_pricing/response.json"
COMMAND = "python -m promo_repro.response.fit"


@dataclass(frozen=True)
class CategoryResponse:
    """Fitted choice model of one category with J products.

    `median_price` (J,) dollars, `intercept` (J,), `price` (3,) slopes of the log relative price
    for the segments of low, middle and high past deal share. `covariance` (J+7, J+7) belongs to
    the vector [intercept, loyalty, rate, price, display, mailer]. `trips` were fitted on.
    """

    name: str
    products: tuple[str, ...]
    median_price: np.ndarray
    intercept: np.ndarray
    loyalty: float
    rate: float
    price: np.ndarray
    display: float
    mailer: float
    covariance: np.ndarray
    trips: int

    def __post_init__(self):
        j = len(self.products)
        shapes = {"median_price": (j,), "intercept": (j,), "price": (3,)}
        _arrays(self, self.name, shapes | {"covariance": (j + 7, j + 7)})
        if j == 0:
            raise ValueError(f"{self.name}: no products; a category needs at least one")
        if (self.median_price <= 0).any():
            raise ValueError(f"{self.name}: median_price has entries that are not positive dollars")
        if not np.isfinite([self.loyalty, self.rate, self.display, self.mailer]).all():
            raise ValueError(f"{self.name}: a coefficient is NaN or infinite; refit the category")
        if not np.allclose(self.covariance, self.covariance.T):
            raise ValueError(f"{self.name}: covariance is not symmetric")
        if self.trips < 1:
            raise ValueError(f"{self.name}: trips is {self.trips}; it counts the trips fitted on")

    @property
    def vector(self) -> np.ndarray:
        """The coefficients as one vector (J+7,), in the order of `covariance`."""
        ends = [self.loyalty, self.rate], self.price, [self.display, self.mailer]
        return np.concatenate([self.intercept, *ends])

    @property
    def standard_errors(self) -> np.ndarray:
        """Standard errors of `vector`, (J+7,)."""
        return np.sqrt(np.diag(self.covariance))

    def with_vector(self, vector) -> "CategoryResponse":
        """The same category with other coefficients, given in the order of `vector`."""
        v, j = np.asarray(vector, dtype=float), len(self.products)
        return replace(
            self,
            intercept=v[:j],
            loyalty=float(v[j]),
            rate=float(v[j + 1]),
            price=v[j + 2 : j + 5],
            display=float(v[j + 5]),
            mailer=float(v[j + 6]),
        )


@dataclass(frozen=True)
class UserDistributions:
    """How customers differ, by segment, as fitted distributions; C categories.

    Weekly trips of a customer are Poisson with a gamma rate: `trip_mean` (3,), `trip_shape` (3,).
    A customer knows category c at all with probability `active` (C, 3); his rate of buying it per
    trip is then beta with parameters `rate_beta` (C, 3, 2). His initial shares are
    (1 − w) D + w m with mean m = `share_mean[c]` (3, J), D Dirichlet of mean m and concentration
    `share_concentration` (C, 3), and weight w = `share_smoothing` (C, 3): no share is zero.
    """

    trip_mean: np.ndarray
    trip_shape: np.ndarray
    active: np.ndarray
    rate_beta: np.ndarray
    share_mean: tuple[np.ndarray, ...]
    share_concentration: np.ndarray
    share_smoothing: np.ndarray

    def __post_init__(self):
        c = len(self.share_mean)
        _arrays(
            self,
            "users",
            {
                "trip_mean": (3,),
                "trip_shape": (3,),
                "active": (c, 3),
                "rate_beta": (c, 3, 2),
                "share_concentration": (c, 3),
                "share_smoothing": (c, 3),
            },
        )
        shares = tuple(np.asarray(mean, dtype=float) for mean in self.share_mean)
        object.__setattr__(self, "share_mean", shares)
        for name in ("trip_mean", "trip_shape", "rate_beta", "share_concentration"):
            if (getattr(self, name) <= 0).any():
                raise ValueError(f"users: {name} has entries that are not positive")
        _probabilities("users", "active", self.active)
        _probabilities("users", "share_smoothing", self.share_smoothing)
        for mean in shares:
            _probabilities("users", "share_mean", mean)
            if mean.ndim != 2 or len(mean) != 3 or not np.allclose(mean.sum(axis=1), 1):
                raise ValueError("users: share_mean needs three rows that sum to one per category")


@dataclass(frozen=True)
class Deals:
    """How often, how deep and how loudly products are on deal; C categories.

    A product-week is on deal with probability `share` (C,), and a deal goes on for another week
    with probability `persistence` (C,). `depth` (C, Q) are the quantiles of the depth of a deal at
    `levels` (Q,). `display` and `mailer` (C, 2) are the probabilities of a display and a mailer in
    a store-week without and with a deal.
    """

    share: np.ndarray
    persistence: np.ndarray
    levels: np.ndarray
    depth: np.ndarray
    display: np.ndarray
    mailer: np.ndarray

    def __post_init__(self):
        c, q = len(np.atleast_1d(self.share)), len(np.atleast_1d(self.levels))
        shapes = {"share": (c,), "persistence": (c,), "levels": (q,), "depth": (c, q)}
        _arrays(self, "deals", shapes | {"display": (c, 2), "mailer": (c, 2)})
        for field in fields(self):
            _probabilities("deals", field.name, getattr(self, field.name))
        if (np.diff(self.depth, axis=1) < 0).any() or (np.diff(self.levels) <= 0).any():
            raise ValueError("deals: levels have to increase, and depth must not fall along them")


@dataclass(frozen=True)
class Dip:
    """Log-lift of this week's discount and of the discounts of the weeks before it.

    `discount` is the coefficient of this week's depth, `lags` (L,) those of the depths 1 … L weeks
    ago (negative: the deal took sales from the weeks after it); `discount_se` and `lags_se` are
    standard errors clustered by product.
    """

    discount: float
    discount_se: float
    lags: np.ndarray
    lags_se: np.ndarray

    def __post_init__(self):
        lags = len(np.atleast_1d(self.lags))
        _arrays(self, "dip", {"lags": (lags,), "lags_se": (lags,)})
        if not np.isfinite(self.discount) or not self.discount_se >= 0 or (self.lags_se < 0).any():
            raise ValueError("dip: discount must be finite and standard errors not negative")


@dataclass(frozen=True)
class ResponseParameters:
    """All that a simulator or a planner needs; see the classes of its parts."""

    segment_share: np.ndarray
    categories: tuple[CategoryResponse, ...]
    users: UserDistributions
    deals: Deals
    dip: Dip
    segments: tuple[str, ...] = SEGMENTS

    def __post_init__(self):
        _arrays(self, "parameters", {"segment_share": (3,)})
        _probabilities("parameters", "segment_share", self.segment_share)
        if abs(self.segment_share.sum() - 1) > 1e-9:
            raise ValueError("parameters: segment_share does not sum to one")
        if self.segments != SEGMENTS:
            raise ValueError(f"parameters: segments are {self.segments}, not {SEGMENTS}")
        c = len(self.categories)
        if c == 0 or len(self.users.active) != c or len(self.deals.share) != c:
            raise ValueError(f"parameters: {c} categories, but users or deals describe other ones")
        for category, mean in zip(self.categories, self.users.share_mean, strict=True):
            if mean.shape[1] != len(category.products):
                raise ValueError(f"parameters: users.share_mean does not fit {category.name}")

    def category(self, name: str) -> CategoryResponse:
        """The category of this name. Raises `ValueError` for an unknown one."""
        for category in self.categories:
            if category.name == name:
                return category
        known = ", ".join(category.name for category in self.categories)
        raise ValueError(f"unknown category {name!r}; choose from {known}")


def redraw(parameters: ResponseParameters, generator: np.random.Generator) -> ResponseParameters:
    """Parameters drawn from their estimates' normal distributions: estimation error in one draw.

    Each category is drawn from its covariance, the dip from its standard errors; distributions of
    customers and deals stay as they are. A slope that is badly known can come out positive.
    """
    categories = tuple(
        category.with_vector(_normal(category.vector, category.covariance, generator))
        for category in parameters.categories
    )
    dip = parameters.dip
    drawn = replace(
        dip,
        discount=float(generator.normal(dip.discount, dip.discount_se)),
        lags=generator.normal(dip.lags, dip.lags_se),
    )
    return replace(parameters, categories=categories, dip=drawn)


def _normal(mean, covariance, generator) -> np.ndarray:
    """A draw from a normal distribution whose covariance may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    root_of_values = np.sqrt(values.clip(0))
    return mean + vectors @ (root_of_values * generator.standard_normal(len(mean)))


def to_record(parameters: ResponseParameters) -> dict:
    """The parameters as JSON-ready dictionaries and lists."""
    return json.loads(json.dumps(asdict(parameters), default=lambda array: array.tolist()))


def from_record(record: Mapping) -> ResponseParameters:
    """The parameters that `to_record` wrote. Raises `ValueError` for a missing part."""
    try:
        return ResponseParameters(
            segment_share=record["segment_share"],
            categories=tuple(
                CategoryResponse(**{**entry, "products": tuple(entry["products"])})
                for entry in record["categories"]
            ),
            users=UserDistributions(**record["users"]),
            deals=Deals(**record["deals"]),
            dip=Dip(**record["dip"]),
            segments=tuple(record["segments"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"not a record of response parameters ({error}); run `{COMMAND}`"
        ) from None


def load(path: Path | None = None) -> ResponseParameters:
    """The parameters fitted on weeks 2 to 39 of the Complete Journey.

    Raises `FileNotFoundError` with the remedy if the file is missing.
    """
    path = root() / PATH if path is None else Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; make it with `{COMMAND}`")
    return from_record(json.loads(path.read_text())["parameters"])


def example() -> ResponseParameters:
    """A small made-up shop for tests: two categories of four and three products."""
    return ResponseParameters(
        segment_share=np.array([0.4, 0.35, 0.25]),
        categories=(
            _example_category("bread", [2.0, 2.5, 3.0, 4.0], -1.0, [-1.0, -1.8, -2.4]),
            _example_category("cola", [1.5, 4.0, 5.0], -1.5, [-1.3, -2.0, -3.5]),
        ),
        users=UserDistributions(
            trip_mean=np.array([1.0, 1.4, 1.8]),
            trip_shape=np.array([1.5, 1.5, 2.0]),
            active=np.array([[0.6, 0.7, 0.8], [0.5, 0.6, 0.7]]),
            rate_beta=np.array([[[2.0, 18.0]] * 3, [[2.0, 12.0]] * 3]),
            share_mean=(np.tile([0.4, 0.3, 0.2, 0.1], (3, 1)), np.tile([0.5, 0.3, 0.2], (3, 1))),
            share_concentration=np.array([[2.0, 3.0, 4.0], [2.0, 3.0, 4.0]]),
            share_smoothing=np.full((2, 3), 0.2),
        ),
        deals=Deals(
            share=np.array([0.3, 0.4]),
            persistence=np.array([0.5, 0.6]),
            levels=np.array([0.1, 0.5, 0.9]),
            depth=np.array([[0.1, 0.2, 0.4], [0.15, 0.25, 0.45]]),
            display=np.array([[0.02, 0.2], [0.05, 0.3]]),
            mailer=np.array([[0.01, 0.3], [0.02, 0.4]]),
        ),
        dip=Dip(2.0, 0.1, np.array([-0.15, 0.0, -0.1]), np.array([0.04, 0.04, 0.04])),
    )


def _example_category(name, prices, intercept, slopes) -> CategoryResponse:
    j = len(prices)
    # Correlated estimation errors, largest for the price slopes.
    deviations = np.concatenate([np.full(j, 0.1), [0.03, 0.05], [0.3, 0.25, 0.2], [0.08, 0.09]])
    covariance = np.outer(deviations, deviations) * (0.8 * np.eye(j + 7) + 0.2)
    return CategoryResponse(
        name=name,
        products=tuple(f"{name} {k}" for k in range(1, j + 1)),
        median_price=np.array(prices),
        intercept=intercept - 0.1 * np.arange(j),
        loyalty=0.5,
        rate=0.9,
        price=np.array(slopes),
        display=0.4,
        mailer=0.2,
        covariance=covariance,
        trips=10_000,
    )


def _arrays(owner, name: str, shapes: Mapping[str, tuple]) -> None:
    """Make the named fields float arrays of these shapes, finite, or say which is not."""
    for field, shape in shapes.items():
        array = np.asarray(getattr(owner, field), dtype=float)
        if array.shape != shape:
            raise ValueError(f"{name}: {field} has shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: {field} contains NaN or infinity")
        object.__setattr__(owner, field, array)


def _probabilities(name: str, field: str, values: np.ndarray) -> None:
    if ((values < 0) | (values > 1)).any():
        raise ValueError(f"{name}: {field} has entries outside [0, 1]; give fractions, not percent")
