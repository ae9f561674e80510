"""The long run of the chapter: silhouettes against both nulls with many draws.

`python -m promo_repro.profiles.results` writes data/results/02_profiles/silhouettes.json.
"""

import json

import numpy as np
import pandas as pd

from promo_repro.datasets import complete_journey
from promo_repro.profiles.components import standardise
from promo_repro.profiles.features import BEHAVIOUR, RFM, household_features
from promo_repro.profiles.structure import NULLS, null_excess, silhouette_test
from promo_repro.project import commit, root

CLUSTERS = (2, 3, 4, 5, 6, 7, 8)
DRAWS = 99
PATH = "data/results/02_profiles/silhouettes.json"


def feature_sets(features: pd.DataFrame) -> dict[str, np.ndarray]:
    """The three standardised tables of the chapter: RFM with basket, behaviour, all features."""
    columns = {
        "RFM": [*RFM, "basket"],
        "behaviour": list(BEHAVIOUR),
        "all 22": list(features.columns),
    }
    return {name: standardise(features[chosen]) for name, chosen in columns.items()}


def silhouette_rows(table, name: str, ks, draws: int, seed: int) -> list[dict]:
    """Rows for one feature set: the silhouette for each null and k, with the null's range.

    `lo` and `hi` are the 2.5 and 97.5 % points of the null, `excess` is above its largest draw.
    """
    rows = []
    for null in NULLS:
        observed, drawn = silhouette_test(table, ks, draws, seed, null)
        for position, k in enumerate(ks):
            low, high = np.quantile(drawn[:, position], [0.025, 0.975])
            rows.append(
                {
                    "method": f"{name}, k={k}, {null}",
                    "metric": "silhouette",
                    "value": float(observed[position]),
                    "lo": float(low),
                    "hi": float(high),
                    "n": draws,
                    "excess": null_excess(observed[position], drawn[:, position]),
                }
            )
    return rows


def main(draws: int = DRAWS, seed: int = 0) -> None:
    shop = complete_journey.load()
    sets = feature_sets(household_features(shop.transactions, shop.products))
    record = {
        "command": "python -m promo_repro.profiles.results",
        "commit": commit(),
        "device": "CPU, one thread",
        "seeds": [seed],
        "simulated": False,
        "rows": [
            row
            for name, table in sets.items()
            for row in silhouette_rows(table, name, CLUSTERS, draws, seed)
        ],
    }
    path = root() / PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
