"""The pair network as the command trains it: measured on a later basket, exact when resumed."""

import numpy as np
import pytest
import torch

from promo_repro.recommender import metrics, protocol, runs
from promo_repro.recommender.protocol import popularity
from promo_repro.training.ensemble import Ensemble
from promo_repro.training.loop import Setting, train


@pytest.fixture(scope="module")
def parts(small_shop):
    return [protocol.split(small_shop, cut, end) for cut, end in ((18, 24), (24, 30))]


def test_it_learns_whom_popularity_cannot_know(parts, tmp_path):
    run = runs.pair_networks(*parts, Setting(seeds=2), epochs=60)
    found = train(run, tmp_path, {})[-1][1]["NDCG"]
    common = np.nanmean(metrics.measured(popularity(parts[1]), parts[1])["ndcg"])
    assert (found > common + 0.05).all()


def test_the_measure_is_that_of_the_scores(parts):
    net = runs.pair_networks(*parts, Setting(), epochs=1).trainable.nets.members()[0]
    features = torch.randn(*parts[1].target.shape, 10, generator=torch.Generator().manual_seed(0))
    scores = net(features)[..., 0].detach().numpy()
    expected = np.nanmean(metrics.measured(scores, parts[1])["ndcg"])
    assert runs.ndcg(net, features, parts[1]) == pytest.approx(expected)


def test_the_loss_is_the_cross_entropy_of_the_labels(parts):
    nets = runs.pair_networks(*parts, Setting(seeds=2), epochs=1).trainable.nets
    x = torch.randn(2, 7, 10, generator=torch.Generator().manual_seed(1))
    y = torch.tensor([[0.0, 1, 0, 1, 1, 0, 0]] * 2)
    found = runs.cross_entropy(nets, [x, y], None)
    for net, loss, part, label in zip(nets.members(), found, x, y, strict=True):
        p = torch.sigmoid(net(part)[:, 0])
        torch.testing.assert_close(loss, -(label * p.log() + (1 - label) * (1 - p).log()).mean())


def test_resumes_bit_for_bit(parts):
    whole, half, resumed = (
        runs.pair_networks(*parts, Setting(seeds=2), epochs=4).trainable for _ in range(3)
    )
    half.step()
    resumed.load_state_dict(half.state_dict())
    losses = [whole.step()["loss"] for _ in range(whole.steps)][1:]
    assert losses
    assert torch.equal(torch.stack(losses), torch.stack([resumed.step()["loss"] for _ in losses]))


def test_seeds_are_networks_of_their_own(parts):
    nets = runs.pair_networks(*parts, Setting(seeds=2, seed=3), epochs=1).trainable.nets
    assert isinstance(nets, Ensemble)
    alone = runs.pair_networks(*parts, Setting(seed=4), epochs=1).trainable.nets
    assert torch.equal(nets.parameters()[0][1], alone.parameters()[0][0])
