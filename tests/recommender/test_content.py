"""Words: tf-idf against scikit-learn, scores by hand, and products without a past."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from promo_repro.recommender import content, protocol

TEXTS = ["whole milk", "milk milk chocolate", "bread", "whole bread rolls"]


def test_tf_idf_against_scikit_learn():
    ours = content.tf_idf(content.word_counts(TEXTS)).toarray()
    theirs = TfidfVectorizer(token_pattern=content.WORDS).fit_transform(TEXTS).toarray()
    assert ours == pytest.approx(theirs)
    assert (ours**2).sum(axis=1) == pytest.approx(np.ones(4))


def test_a_description_without_words_is_zero():
    vectors = content.tf_idf(sparse.csr_matrix([[0, 0], [1, 2]])).toarray()
    assert vectors[0].tolist() == [0, 0]
    assert (vectors[1] ** 2).sum() == pytest.approx(1)


def test_describe_leaves_out_what_is_missing():
    items = pd.DataFrame({"a": ["Milk", None], "b": ["Dairy", "Bread"]}).astype("str")
    items.loc[1, "a"] = None
    assert content.describe(items, ["a", "b"]).str.split().tolist() == [
        ["Milk", "Dairy"],
        ["Bread"],
    ]


def test_cosine_by_hand():
    vectors = sparse.csr_matrix(np.eye(3))
    scores = content.cosine(np.array([[3.0, 4, 0], [0, 0, 0]]), vectors)
    assert scores == pytest.approx(np.array([[0.6, 0.8, 0], [0, 0, 0]]))
    assert content.cosine(np.array([[3.0, 4, 0]]), vectors, vectors[1:]) == pytest.approx(
        np.array([[0.8, 0]])
    )


def test_share_by_hand():
    counts = np.array([[2.0, 1, 1], [0, 0, 0]])
    assert content.share(counts, ["dairy", "bread", "dairy"]) == pytest.approx(
        np.array([[0.75, 0.25, 0.75], [0, 0, 0]])
    )


def test_text_features_have_one_row_per_pair(small_shop):
    part = protocol.split(small_shop, 20, 26)
    features = content.text_features(part)
    assert features.shape == (*part.target.shape, 4)
    assert np.isfinite(features).all()


def test_new_products_are_new():
    transactions = pd.DataFrame(
        {
            "household_id": [1, 1, 2, 1, 2, 2],
            "basket_id": [1, 2, 3, 4, 5, 6],
            "product_id": [10, 11, 10, 12, 12, 13],
            "week": [1, 2, 3, 5, 6, 9],
        }
    )
    products = pd.DataFrame({"product_id": [10, 11, 12, 13], "product_type": list("aabb")})
    known, fresh, history, target = content.new_products(
        transactions, products, np.array([1, 2]), 4, 7
    )
    assert list(known.index) == [10, 11]
    assert list(fresh.index) == [12]
    assert history.toarray().tolist() == [[1, 1], [1, 0]]
    assert target.tolist() == [[True], [True]]
