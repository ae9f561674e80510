"""Validation of frames: pandera's report becomes one clear `DatasetError`."""

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaError

from promo_repro.datasets.storage import DatasetError, refetch


def column(dtype: object, *checks: pa.Check, unique: bool = False, gap: bool = False) -> pa.Column:
    """Return a column of exactly this type; `gap` allows missing values."""
    return pa.Column(dtype, list(checks), nullable=gap, unique=unique)


def table(coerce: bool = False, **columns: pa.Column) -> pa.DataFrameSchema:
    """Return a strict schema: these columns in this order and no others.

    `coerce` casts the columns of text files, which carry no types, to those of the schema.
    """
    return pa.DataFrameSchema(columns, strict=True, ordered=True, coerce=coerce)


def validate(dataset: str, name: str, frame: pd.DataFrame, schema, remedy: str = ""):
    """Return `frame` if it satisfies `schema`; `remedy` is said instead of fetching again.

    Raises `DatasetError` that names the table, the column and the fault: a missing or an
    additional column, a wrong type, a missing value, a value out of range.
    """
    remedy = remedy or refetch(dataset)
    missing = [column for column in schema.columns if column not in frame.columns]
    if missing:
        raise DatasetError(dataset, f"{name} lacks the column {missing[0]}", remedy)
    for label, expected in schema.columns.items():
        if not expected.nullable and frame[label].isna().any():
            rows = int(frame[label].isna().sum())
            cause = f"{name}.{label} has {rows} missing values where none may be"
            raise DatasetError(dataset, cause, remedy)
    try:
        return schema.validate(frame)
    except SchemaError as error:
        cause = f"{name} fails validation: {str(error).splitlines()[0]}"
        raise DatasetError(dataset, cause, remedy) from error
