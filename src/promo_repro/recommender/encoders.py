"""Four encoders of the same history: dense, convolutional, recurrent and self-attention.

A basket is the scaled sum of its items' embeddings; the encoder turns the baskets up to each visit
into a state; the log-odds of every item in the next basket are the state's inner products with the
items' output vectors. All four are causal, have the same inputs, outputs and loss, and differ only
in how they look back. Training is binary cross-entropy over all items: no negatives are sampled.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import sparse
from torch import nn

from promo_repro.recommender.protocol import Split

KINDS = ("dense", "convolution", "recurrent", "attention")


@dataclass(frozen=True)
class Recipe:
    """What is trained and how; `visits` is the number of last baskets that are looked at.

    `prior` adds learned multiples of the household's purchase counts to the log-odds (the rule
    "what was bought will be bought"). `hierarchy` shares embeddings along type, category and
    department. `heads` 2 predicts what is bought on deal as a second task.
    """

    kind: str
    width: int = 64
    rate: float = 3e-3
    epochs: int = 10
    visits: int = 40
    positions: int = 6
    batch: int = 128
    prior: bool = False
    hierarchy: bool = False
    heads: int = 1

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"no encoder {self.kind!r}; choose from {', '.join(KINDS)}")


class Past(nn.Module):
    """Causal encoder (n, T, d) → (n, T, d) of one kind."""

    def __init__(self, kind: str, width: int, visits: int):
        super().__init__()
        self.kind = kind
        if kind == "dense":
            self.net = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU())
        elif kind == "convolution":
            self.net = nn.ModuleList(
                [nn.Conv1d(width, width, 3, dilation=3**layer) for layer in range(3)]
            )
        elif kind == "recurrent":
            self.net = nn.GRU(width, width, batch_first=True)
        else:
            self.place = nn.Parameter(torch.zeros(visits, width))
            self.net = nn.MultiheadAttention(width, 2, batch_first=True)
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU())
        self.last = nn.Linear(width, width)

    def forward(self, x, real):
        """`real` (n, T) is true where there is a basket; baskets stand at the right end."""
        if self.kind == "dense":
            size = real.cumsum(dim=1).clamp(min=1)[..., None]
            state = self.net(torch.cat([x.cumsum(dim=1) / size, x], dim=-1))
        elif self.kind == "convolution":
            state = x.transpose(1, 2)
            for layer in self.net:
                reach = layer.dilation[0] * (layer.kernel_size[0] - 1)
                state = state + torch.relu(layer(nn.functional.pad(state, (reach, 0))))
            state = state.transpose(1, 2)
        elif self.kind == "recurrent":
            state = self.net(x)[0]
        else:
            visits = x.shape[1]
            later = torch.ones(visits, visits, dtype=torch.bool, device=x.device).triu(1)
            # An empty past would leave nothing to attend to: every visit may look at itself.
            blocked = later | ~real[:, None, :]
            blocked = blocked & ~torch.eye(visits, dtype=torch.bool, device=x.device)
            y = x + self.place[-visits:]
            blocked = blocked.repeat_interleave(self.net.num_heads, dim=0)
            state = x + self.net(y, y, y, attn_mask=blocked, need_weights=False)[0]
        return state + self.last(self.out(state))


class NextBasket(nn.Module):
    """Log-odds of every item in the next basket, from the baskets before it."""

    def __init__(self, recipe: Recipe, items, share, groups=None):
        """`share` (I,) are the items' shares of baskets: the bias starts at their log-odds."""
        super().__init__()
        d = recipe.width
        self.recipe = recipe
        self.given = nn.Embedding(items, d)
        self.asked = nn.ModuleList([nn.Linear(d, items) for _ in range(recipe.heads)])
        nn.init.normal_(self.given.weight, std=0.1)
        odds = torch.as_tensor(np.log(share / (1 - share)), dtype=torch.float32)
        for head in self.asked:
            nn.init.normal_(head.weight, std=0.02)
            head.bias.data.copy_(odds)
        self.past = Past(recipe.kind, d, recipe.visits)
        self.groups = recipe.hierarchy
        if recipe.hierarchy:
            for level, codes in enumerate(groups):
                codes = torch.as_tensor(codes, dtype=torch.long)
                self.register_buffer(f"codes{level}", codes)
                self.add_module(f"given{level}", _zero_embedding(int(codes.max()) + 1, d))
                self.add_module(f"asked{level}", _zero_embedding(int(codes.max()) + 1, d))
        self.rule = nn.Parameter(torch.tensor([1.0, 0, 0])) if recipe.prior else None

    def vectors(self, side: str, head=0):
        """Item vectors (I, d) of one side, with what the hierarchy shares."""
        own = self.given.weight if side == "given" else self.asked[head].weight
        if self.groups:
            for level in range(2):
                table = getattr(self, f"{side}{level}").weight
                own = own + table[getattr(self, f"codes{level}")]
        return own

    def states(self, baskets, real):
        """States (n, T, d) from the baskets (sparse, in the order of `real` (n, T) true)."""
        device = self.given.weight.device
        items = torch.as_tensor(baskets.indices, dtype=torch.long, device=device)
        first = torch.as_tensor(baskets.indptr[:-1], dtype=torch.long, device=device)
        size = torch.as_tensor(np.diff(baskets.indptr), device=device).clamp(min=1)
        bags = nn.functional.embedding_bag(items, self.vectors("given"), first, mode="sum")
        bags = bags / size.sqrt()[:, None]
        x = bags.new_zeros(*real.shape, bags.shape[1])
        x[real] = bags
        return self.past(x, real)

    def forward(self, states, counts, visits, head=0):
        """Log-odds (..., I) from states (..., d), purchase counts (..., I), visits (..., 1)."""
        logits = states @ self.vectors("asked", head).T + self.asked[head].bias
        if self.rule is not None:
            rate = torch.log1p(counts / 0.3)
            logits = logits + self.rule[0] * rate + self.rule[1] * (counts > 0)
            logits = logits + self.rule[2] * torch.log1p(visits) * (counts > 0)
        return logits


def _zero_embedding(rows, width):
    table = nn.Embedding(rows, width)
    nn.init.zeros_(table.weight)
    return table


def groups(split: Split):
    """Category and department code of each item: the two upper levels of the hierarchy."""
    return [np.unique(split.items[c], return_inverse=True)[1] for c in LEVELS]


LEVELS = ("product_category", "department")


def build(recipe: Recipe, split: Split, seed: int, device="cpu") -> NextBasket:
    """A fresh network for a split; the seed alone decides its weights."""
    share = (np.asarray(split.baskets.sum(axis=0)).ravel() + 0.5) / (len(split.week) + 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NextBasket(recipe, len(split.items), share, groups(split)).to(device)


def window(split: Split, households, visits: int, device="cpu"):
    """Rows of the last `visits` baskets of some households, and where they stand.

    Returns (rows (m,), real (n, T)): `real` is true where a household has a basket, which stand at
    the right end, and `rows` are their numbers in the order of `real`.
    """
    stop = split.start[np.asarray(households) + 1]
    first = np.maximum(split.start[households], stop - visits)
    rows = np.concatenate([np.arange(a, b) for a, b in zip(first, stop, strict=True)])
    real = np.arange(visits) >= visits - (stop - first)[:, None]
    return rows, torch.as_tensor(real, device=device)


def train(
    model: NextBasket, split: Split, seed: int, *, households=None, epochs=None
) -> NextBasket:
    """Train on the next baskets inside the split's past; the model is changed and returned.

    In every epoch each household gives `positions` visits drawn at random, whose basket is
    predicted from those before. Mixed precision on CUDA, the same code on the CPU.
    """
    recipe = model.recipe
    device = model.given.weight.device
    rng = np.random.default_rng(seed)
    chosen = np.arange(len(split.households)) if households is None else np.asarray(households)
    chosen = chosen[np.diff(split.start)[chosen] > 1]
    slow = [p for name, p in model.named_parameters() if name != "rule"]
    groups = [{"params": slow, "lr": recipe.rate}]
    if model.rule is not None:
        # Three numbers that every pair shares may move faster than the embeddings.
        groups.append({"params": [model.rule], "lr": 10 * recipe.rate})
    optimiser = torch.optim.Adam(groups)
    epochs = recipe.epochs if epochs is None else epochs
    steps = epochs * math.ceil(len(chosen) / recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [group["lr"] for group in groups], total_steps=max(steps, 1)
    )
    for _ in range(epochs):
        for part in np.array_split(rng.permutation(chosen), math.ceil(len(chosen) / recipe.batch)):
            loss = _batch_loss(model, split, np.sort(part), rng, device)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model


def _batch_loss(model, split, part, rng, device):
    recipe = model.recipe
    rows, real = window(split, part, recipe.visits, device)
    length = real.sum(dim=1).cpu().numpy()
    # `back` baskets before the last one, at least one; the basket after it is to be predicted.
    back = 1 + (rng.random((len(part), recipe.positions)) * (length - 1)[:, None]).astype(int)
    asked = (split.start[part + 1][:, None] - back).ravel()
    at = torch.as_tensor(recipe.visits - 1 - back, device=device)
    state = torch.arange(len(part), device=device)[:, None]
    counts, visits = _counts(split, np.repeat(part, recipe.positions), asked, recipe.prior, device)
    with torch.autocast(device.type, enabled=device.type == "cuda"):
        states = model.states(split.baskets[rows], real)[state, at].flatten(0, 1)
        losses = [
            nn.functional.binary_cross_entropy_with_logits(
                model(states, counts, visits, head),
                torch.as_tensor(matrix[asked].toarray(), device=device),
                reduction="sum",
            )
            for head, matrix in enumerate((split.baskets, split.deals)[: recipe.heads])
        ]
    return sum(losses) / len(asked)


def _counts(split, households, until, wanted, device):
    """Purchases (n, I) and visits (n, 1) of households before the baskets `until`."""
    first = split.start[households]
    visits = torch.as_tensor((until - first)[:, None], dtype=torch.float32, device=device)
    if not wanted:
        return None, visits
    rows = np.concatenate([np.arange(a, b) for a, b in zip(first, until, strict=True)])
    owner = np.repeat(np.arange(len(until)), until - first)
    sums = (
        sparse.csr_matrix(
            (np.ones(len(rows), np.float32), (owner, rows)), shape=(len(until), len(split.week))
        )
        @ split.baskets
    )
    return torch.as_tensor(sums.toarray(), device=device), visits


@torch.no_grad()
def scores(model: NextBasket, split: Split, head=0) -> np.ndarray:
    """Log-odds (U, I) of each item in the basket after the split's past."""
    device, recipe = model.given.weight.device, model.recipe
    everybody = np.arange(len(split.households))
    result = []
    for part in np.array_split(everybody, math.ceil(len(everybody) / 512)):
        rows, real = window(split, part, recipe.visits, device)
        counts, visits = _counts(split, part, split.start[part + 1], recipe.prior, device)
        states = model.states(split.baskets[rows], real)[:, -1]
        result.append(model(states, counts, visits, head).float().cpu().numpy())
    return np.concatenate(result)


def state_vectors(model: NextBasket, split: Split) -> np.ndarray:
    """The household vectors (U, d) that the model has learnt, ready to be stored."""
    with torch.no_grad():
        rows, real = window(
            split, np.arange(len(split.households)), model.recipe.visits, model.given.weight.device
        )
        return model.states(split.baskets[rows], real)[:, -1].cpu().numpy()


def fit(recipe: Recipe, split: Split, seed: int = 0, device="cpu") -> NextBasket:
    """Build and train a network."""
    return train(build(recipe, split, seed, device), split, seed)


def self_supervised(model: NextBasket, split: Split, seed: int, epochs: int) -> NextBasket:
    """Pre-train the item vectors without any next basket: half of a basket foretells the rest.

    Baskets are taken alone and out of order, so nothing about time or households is learnt.
    """
    rng = np.random.default_rng(seed)
    device = model.given.weight.device
    large = np.flatnonzero(np.asarray(split.baskets.sum(axis=1)).ravel() > 1)
    parameters = [*model.given.parameters(), *model.asked.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=model.recipe.rate)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(large), math.ceil(len(large) / 1_024)):
            whole = torch.as_tensor(split.baskets[rows].toarray(), device=device)
            kept = whole * torch.as_tensor(rng.random(whole.shape) < 0.5, device=device)
            size = kept.sum(dim=1, keepdim=True).clamp(min=1).sqrt()
            logits = model.asked[0](kept @ model.vectors("given") / size)
            loss = nn.functional.binary_cross_entropy_with_logits(
                logits, whole - kept, weight=1 - kept, reduction="sum"
            ) / len(rows)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model


def variant(recipe: Recipe, **changes) -> Recipe:
    """The recipe with some fields changed."""
    return replace(recipe, **changes)
