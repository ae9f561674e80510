"""Response room: how purchases answer price and promotion, estimated on data."""

from promo_repro.response.parameters import (
    SEGMENTS,
    CategoryResponse,
    Deals,
    Dip,
    ResponseParameters,
    UserDistributions,
    example,
    load,
    redraw,
)

__all__ = [
    "SEGMENTS",
    "CategoryResponse",
    "Deals",
    "Dip",
    "ResponseParameters",
    "UserDistributions",
    "example",
    "load",
    "redraw",
]
