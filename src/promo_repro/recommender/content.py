"""What the descriptions say: vectors of words, content-based scores, and really new products."""

import numpy as np
import pandas as pd
from scipy import sparse

from promo_repro.claims import formula
from promo_repro.recommender.baselines import decay
from promo_repro.recommender.pointwise import SHORT
from promo_repro.recommender.protocol import Split

WORDS = r"[A-Za-z][A-Za-z&'.]+"


@formula("eq-03-tf-idf")
def tf_idf(counts):
    """Unit-length rows of counts × ln((1 + n) / (1 + df)) + counts, for word counts (n, V) sparse.

    df is the number of the n descriptions that hold the word; a description without a word is 0.
    """
    c = sparse.csr_matrix(counts, dtype=float)
    df = np.asarray((c > 0).sum(axis=0)).ravel()
    weighted = c @ sparse.diags(np.log((1 + c.shape[0]) / (1 + df)) + 1)
    norm = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return sparse.diags(1 / np.where(norm > 0, norm, 1)) @ weighted


def word_counts(texts) -> sparse.csr_matrix:
    """Counts of words (n, V) in lower case; a word is two letters or more."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(token_pattern=WORDS).fit_transform(texts)


def describe(items: pd.DataFrame, columns) -> pd.Series:
    """One text per item: the given columns joined, missing ones left out."""
    texts = pd.Series("", index=items.index)
    for column in columns:
        texts = texts + " " + items[column].astype("str").where(items[column].notna(), "")
    return texts


def text_features(split: Split, vectors=None) -> np.ndarray:
    """What the descriptions say about each pair, (U, I, 4) float32.

    Cosine of the item's words with those of all purchases and of the recent ones, and the share
    of the household's purchases in the item's category and department.
    """
    texts = describe(split.items, ["department", "product_category", "product_type"])
    vectors = tf_idf(word_counts(texts)) if vectors is None else vectors
    log_counts = split.history.log1p()
    recent = split.weighted(decay(split.cut - split.week, SHORT)).log1p()
    features = np.empty((*split.target.shape, 4), dtype=np.float32)
    features[..., 0] = cosine(log_counts, vectors)
    features[..., 1] = cosine(recent, vectors)
    features[..., 2] = np.sqrt(share(log_counts, split.items["product_category"]))
    features[..., 3] = np.sqrt(share(log_counts, split.items["department"]))
    return features


def cosine(counts, vectors, candidates=None) -> np.ndarray:
    """Cosine (U, n) of each household's summed word vector with each candidate's, 0 if empty."""
    profile = sparse.csr_matrix(counts) @ vectors
    norm = np.sqrt(np.asarray(profile.multiply(profile).sum(axis=1)).ravel())
    scores = profile @ (vectors if candidates is None else candidates).T
    return np.asarray(scores.todense()) / np.where(norm > 0, norm, 1)[:, None]


def share(counts, labels) -> np.ndarray:
    """Share (U, I) of a household's purchases that fall in the group of each item."""
    codes = pd.factorize(np.asarray(labels))[0]
    member = sparse.csr_matrix(
        (np.ones(len(codes)), (np.arange(len(codes)), codes)), shape=(len(codes), codes.max() + 1)
    )
    totals = np.asarray((sparse.csr_matrix(counts) @ member).todense())
    return (totals / np.maximum(totals.sum(axis=1, keepdims=True), 1e-12))[:, codes]


def new_products(transactions, products, households, cut, end):
    """Products first sold after week `cut`, with the history and purchases of `households`.

    Returns (known, fresh, history, target): the product rows sold up to `cut` and those first sold
    in weeks cut + 1 to `end`, purchases (U, known) and boolean purchases of new ones (U, fresh).
    """
    first = transactions.groupby("product_id")["week"].min()
    products = products[products["product_type"].notna()].set_index("product_id")
    inside = first[first.index.isin(products.index)]
    known = inside.index[inside <= cut]
    fresh = inside.index[(inside > cut) & (inside <= end)]
    lines = transactions[transactions["household_id"].isin(households)]
    lines = lines.drop_duplicates(["basket_id", "product_id"])

    def table(part, columns):
        part = part[part["product_id"].isin(columns)]
        at = (
            np.searchsorted(households, part["household_id"]),
            columns.get_indexer(part["product_id"]),
        )
        shape = (len(households), len(columns))
        return sparse.csr_matrix((np.ones(len(part)), at), shape=shape)

    history = table(lines[lines["week"] <= cut], known)
    target = table(lines[(lines["week"] > cut) & (lines["week"] <= end)], fresh)
    return products.loc[known], products.loc[fresh], history, target.toarray() > 0
