"""The recommender's network for the command `promo-repro train`: all seeds in one batch."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from promo_repro.datasets import complete_journey
from promo_repro.recommender import metrics, pointwise, protocol
from promo_repro.recommender.networks import Network
from promo_repro.recommender.protocol import Split
from promo_repro.training.ensemble import Ensemble
from promo_repro.training.loop import Run, Setting
from promo_repro.training.seeding import generator
from promo_repro.training.supervised import Supervised

HIDDEN, BATCH, RATE = 32, 4_096, 3e-3  # those of `pointwise.mlp`
MARKS = 6


def recommender(setting: Setting) -> Run:
    """The network of chapter 3 that scores pairs, for 6 or (full) 24 passes over the pairs."""
    journey = complete_journey.load()
    bought = protocol.purchases(journey.transactions, journey.products)
    train, test = (protocol.split(bought, **part) for part in (protocol.TUNING, protocol.TEST))
    return pair_networks(train, test, setting, epochs=24 if setting.full else 6)


def pair_networks(train: Split, test: Split, setting: Setting, epochs: int) -> Run:
    """Networks F → hidden → hidden → 1 on the pairs of one split, measured (NDCG) on the next."""
    pairs = pointwise.training_pairs(train, np.random.default_rng(setting.seed))
    features = pointwise.behaviour_features(train)[pairs.rows, pairs.columns]
    mean, scale = features.mean(axis=0), features.std(axis=0)
    device = setting.device

    def tensor(values) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=device)

    held_out = tensor(pointwise.standardised(pointwise.behaviour_features(test), mean, scale))

    def measure(nets: Ensemble) -> dict[str, Tensor]:
        return {"NDCG": torch.tensor([ndcg(net, held_out, test) for net in nets.members()])}

    sizes = features.shape[1], HIDDEN, HIDDEN, 1
    seeds = range(setting.seed, setting.seed + setting.seeds)
    return Supervised(
        Ensemble(
            [
                Network(sizes, "relu", "identity", generator(seed, "weights", device=device))
                for seed in seeds
            ]
        ),
        [tensor(pointwise.standardised(features, mean, scale)), tensor(pairs.labels)],
        cross_entropy,
        measure,
        setting,
        unit="pairs",
        batch=BATCH,
        epochs=epochs,
        rate=RATE,
    ).run(MARKS, simulated=False)


def cross_entropy(nets: Ensemble, rows: Sequence[Tensor], _dropout: torch.Generator) -> Tensor:
    """Mean binary cross-entropy (K,) of each network on its pairs: features and labels."""
    x, label = rows
    losses = binary_cross_entropy_with_logits(nets(x)[..., 0], label, reduction="none")
    return losses.mean(dim=1)


@torch.no_grad()
def ndcg(net: Network, features: Tensor, test: Split) -> float:
    """Mean NDCG at 10 of the lists that the network gives to the tested households."""
    scores = torch.cat([net(part)[..., 0] for part in features.split(256)])
    return float(np.nanmean(metrics.measured(scores.cpu().numpy(), test)["ndcg"]))
