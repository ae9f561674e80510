"""Encoders: causal, deterministic, trained, and the parts that are added to them."""

import numpy as np
import pytest
import torch

from promo_repro.recommender import encoders, protocol
from promo_repro.recommender.metrics import measured

SMALL = {"width": 8, "visits": 12, "batch": 20, "rate": 2e-2}


@pytest.fixture(scope="module")
def part(small_shop):
    return protocol.split(small_shop, 24, 30)


@pytest.mark.parametrize("kind", encoders.KINDS)
def test_no_encoder_looks_ahead(kind):
    torch.manual_seed(0)
    past = encoders.Past(kind, 8, 12)
    x, real = torch.randn(3, 12, 8), torch.ones(3, 12, dtype=torch.bool)
    changed = x.clone()
    changed[:, 8:] += 1
    first, second = past(x, real), past(changed, real)
    assert torch.equal(first[:, :8], second[:, :8])
    assert not torch.allclose(first[:, 8:], second[:, 8:])


@pytest.mark.parametrize("kind", encoders.KINDS)
def test_every_encoder_learns(kind, part):
    recipe = encoders.Recipe(kind, epochs=12, **SMALL)
    untrained = measured(encoders.scores(encoders.build(recipe, part, 0), part), part, k=4)
    trained = measured(encoders.scores(encoders.fit(recipe, part), part), part, k=4)
    assert np.nanmean(trained["ndcg"]) > np.nanmean(untrained["ndcg"]) + 0.03


def test_the_seed_alone_decides(part):
    recipe = encoders.Recipe("dense", epochs=1, **SMALL)
    runs = [encoders.scores(encoders.fit(recipe, part, s), part) for s in (0, 0, 1)]
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()


def test_the_rule_is_the_personal_rate_at_the_start(part):
    model = encoders.build(encoders.Recipe("dense", prior=True, **SMALL), part, 0)
    plain = encoders.build(encoders.Recipe("dense", **SMALL), part, 0)
    gap = encoders.scores(model, part) - encoders.scores(plain, part)
    assert gap == pytest.approx(np.log1p(part.history.toarray() / 0.3), abs=1e-4)


def test_the_hierarchy_starts_at_nothing_and_moves(part):
    recipe = encoders.Recipe("dense", hierarchy=True, epochs=2, **SMALL)
    model = encoders.build(recipe, part, 0)
    plain = encoders.build(encoders.Recipe("dense", **SMALL), part, 0)
    assert encoders.scores(model, part) == pytest.approx(encoders.scores(plain, part), abs=1e-6)
    assert float(encoders.train(model, part, 0).given0.weight.detach().abs().max()) > 0


def test_two_heads_foretell_two_things(part):
    model = encoders.fit(encoders.Recipe("dense", heads=2, epochs=8, **SMALL), part)
    items, deals = encoders.scores(model, part), encoders.scores(model, part, head=1)
    # Half of what is bought is on deal, so the second head expects fewer items.
    assert 1 / (1 + np.exp(-deals)).sum() < 1 / (1 + np.exp(-items)).sum() or (
        deals.mean() < items.mean()
    )


def test_self_supervision_moves_the_item_vectors_only(part):
    model = encoders.build(encoders.Recipe("dense", **SMALL), part, 0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    encoders.self_supervised(model, part, 0, 1)
    moved = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert moved == {"given.weight", "asked.0.weight", "asked.0.bias"}


def test_a_household_without_history_gets_a_list(part):
    model = encoders.build(encoders.Recipe("attention", **SMALL), part, 0)
    assert np.isfinite(encoders.scores(model, part.last(0))).all()
    assert encoders.state_vectors(model, part).shape == (len(part.households), 8)


def test_unknown_encoder():
    with pytest.raises(ValueError, match="no encoder 'magic'"):
        encoders.Recipe("magic")
