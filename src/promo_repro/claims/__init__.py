"""Claims room: the inventory, the verdicts and the scorecard.

What an article states is a *claim*; what a computation says about it is a *verdict*. A verdict
is given in a chapter with `verdict(id, evidence, because=...)` and collected from the executed
notebooks by `scorecard.collect`.
"""

from promo_repro.claims.evidence import (
    STATUSES,
    EvidenceError,
    above,
    below,
    between,
    computed,
    conditional,
    confirmed,
    corrected,
    ill_posed,
    refuted,
    untestable,
)
from promo_repro.claims.inventory import Claim, InventoryError, inventory, load_documents
from promo_repro.claims.registry import formula, formulas
from promo_repro.claims.scorecard import OPEN, Scorecard, ScorecardError, collect
from promo_repro.claims.verdict import MIME, Verdict, verdict, verdict_table

__all__ = [
    "MIME",
    "OPEN",
    "STATUSES",
    "Claim",
    "EvidenceError",
    "InventoryError",
    "Scorecard",
    "ScorecardError",
    "Verdict",
    "above",
    "below",
    "between",
    "collect",
    "computed",
    "conditional",
    "confirmed",
    "corrected",
    "formula",
    "formulas",
    "ill_posed",
    "inventory",
    "load_documents",
    "refuted",
    "untestable",
    "verdict",
    "verdict_table",
]
