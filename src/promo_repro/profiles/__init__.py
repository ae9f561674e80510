"""Profiles room: features of households and products, components, clusters, rules, segments."""

from promo_repro.profiles.components import (
    Components,
    parallel_analysis,
    principal_components,
    standardise,
)
from promo_repro.profiles.density import dbscan
from promo_repro.profiles.factors import Factors, factor_analysis
from promo_repro.profiles.features import household_features, interest_tags, terciles, two_halves
from promo_repro.profiles.kmeans import Fit, lloyd, plus_plus_start, random_start
from promo_repro.profiles.products import product_table
from promo_repro.profiles.rules import association_rules, frequent_itemsets
from promo_repro.profiles.segments import Sales, regular_sales, response_gap, tercile_response
from promo_repro.profiles.structure import silhouette, silhouette_test

__all__ = [
    "Components",
    "Factors",
    "Fit",
    "Sales",
    "association_rules",
    "dbscan",
    "factor_analysis",
    "frequent_itemsets",
    "household_features",
    "interest_tags",
    "lloyd",
    "parallel_analysis",
    "plus_plus_start",
    "principal_components",
    "product_table",
    "random_start",
    "regular_sales",
    "response_gap",
    "silhouette",
    "silhouette_test",
    "standardise",
    "tercile_response",
    "terciles",
    "two_halves",
]
