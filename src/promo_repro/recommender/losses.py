"""Losses of the recommender: Bernoulli and categorical likelihoods, and those printed in D3.

Arguments may be tensors, arrays or lists; device and dtype of the result follow the prediction.
Losses are sums, as the articles print them; a training loop divides by the size of its batch.
"""

import numpy as np
import torch
from scipy.special import wrightomega
from torch import Tensor
from torch.nn.functional import softplus

from promo_repro.claims import formula
from promo_repro.recommender.metrics import gain_high


def as_pair(label, prediction) -> tuple[Tensor, Tensor]:
    """Label and prediction as tensors of one shape, dtype and device.

    Raises `ValueError` when the shapes differ or a value is NaN or infinite.
    """
    prediction = _real("the prediction", prediction)
    label = _real("the label", label).to(prediction)
    if label.shape != prediction.shape:
        raise ValueError(
            f"labels of shape {tuple(label.shape)} do not fit predictions of shape "
            f"{tuple(prediction.shape)}; give one label for each prediction"
        )
    return label, prediction


def _real(name: str, values) -> Tensor:
    # Through NumPy, a list becomes 64-bit; torch would take 32.
    tensor = values if isinstance(values, Tensor) else torch.tensor(np.ascontiguousarray(values))
    if not tensor.is_floating_point():
        tensor = tensor.double()
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{name} contains NaN or infinity; drop or fill such rows first")
    return tensor


def _fraction(name: str, values: Tensor) -> Tensor:
    if ((values < 0) | (values > 1)).any():
        raise ValueError(f"{name} has entries outside [0, 1]; apply the sigmoid or softmax first")
    return values


def _probabilities(label, probability) -> tuple[Tensor, Tensor]:
    label, probability = as_pair(label, probability)
    return _fraction("the label", label), _fraction("the probability", probability)


# Bernoulli ----------------------------------------------------------------------------------------


@formula("eq-03-bernoulli")
def bernoulli_likelihood(y, p) -> Tensor:
    """Probability of the labels, ∏ pʸ (1 − p)¹⁻ʸ; `y` of 0 and 1 and `p` of one shape."""
    y, p = _probabilities(y, p)
    return (p**y * (1 - p) ** (1 - y)).prod()


def minus_log_likelihood(y, p) -> float:
    """−log of `bernoulli_likelihood`; for few labels only, the product underflows for many."""
    return -float(torch.log(bernoulli_likelihood(y, p)))


@formula("D3-F10", "eq-03-bce")
def binary_cross_entropy(y, p) -> Tensor:
    """Minus the log-likelihood of the labels, −Σ [y log p + (1 − y) log(1 − p)].

    `y` and `p` of one shape, in [0, 1]; a label that had probability 0 gives infinity.
    D3-F10 with the brackets that it lacks.
    """
    y, p = _probabilities(y, p)
    return -(torch.xlogy(y, p) + torch.xlogy(1 - y, 1 - p)).sum()


@formula("eq-03-bce-score")
def binary_cross_entropy_of_score(y, z) -> Tensor:
    """The same loss from the score z with p = σ(z): Σ [log(1 + eᶻ) − y z]; no overflow."""
    y, z = as_pair(y, z)
    return (softplus(z) - _fraction("the label", y) * z).sum()


@formula("eq-03-bce-gradient")
def binary_cross_entropy_gradient(y, z) -> Tensor:
    """Its derivative with respect to each score: σ(z) − y."""
    y, z = as_pair(y, z)
    return torch.sigmoid(z) - y


# Categorical --------------------------------------------------------------------------------------


@formula("eq-03-cce")
def categorical_cross_entropy(target, p) -> Tensor:
    """−Σ t log p over rows and classes; both (n, K), the rows of `target` one-hot or mixed."""
    target, p = _probabilities(target, p)
    return -torch.xlogy(target, p).sum()


@formula("eq-03-cce-score")
def categorical_cross_entropy_of_score(target, z) -> Tensor:
    """The same from scores (n, K) with p = softmax(z), if each row of `target` sums to 1."""
    target, z = as_pair(target, z)
    return (torch.logsumexp(z, -1) - (target * z).sum(-1)).sum()


@formula("eq-03-imitation")
def excess_cross_entropy(target, p) -> Tensor:
    """Mean excess of the cross-entropy over its least value: the divergence KL(target ‖ p).

    Both (n, K) with rows that sum to 1. It is zero if and only if the model's probabilities are
    those with which the classes were given: minimising it is imitation.
    """
    target, p = _probabilities(target, p)
    return (torch.xlogy(target, target) - torch.xlogy(target, p)).sum(-1).mean()


# As printed in D3 ---------------------------------------------------------------------------------


@formula("eq-03-no-brackets")
def loss_without_brackets(y, p) -> Tensor:
    """D3-F10 without a bracket: −Σ y log p + Σ (1 − y) log(1 − p), the minus on the first only.

    Both sums run over both terms. It equals the cross-entropy plus 2 Σ (1 − y) log(1 − p), and has
    no lower bound.
    """
    y, p = _probabilities(y, p)
    return -torch.xlogy(y, p).sum() + torch.xlogy(1 - y, 1 - p).sum()


@formula("eq-03-free-index")
def loss_with_free_index(y, p) -> Tensor:
    """D3-F10 by the rules of precedence: the sums end at the plus sign.

    The second term then has a user and an item that nothing defines; the last of each is taken.
    `y` and `p` of shape (users, items).
    """
    y, p = _probabilities(y, p)
    last = (-1,) * y.ndim
    return -torch.xlogy(y, p).sum() + torch.xlogy(1 - y[last], 1 - p[last])


@formula("D3-F11", "eq-03-discount-loss")
def discount_loss(y, g) -> Tensor:
    """D3's loss of the discount model, −Σ y log g; `g` the discount rates in [0, 1]."""
    y, g = _probabilities(y, g)
    return -torch.xlogy(y, g).sum()


@formula("D3-F12", "eq-03-total-loss")
def total_loss(y, p, g) -> Tensor:
    """D3's end-to-end loss: cross-entropy of the recommender plus loss of the discount model."""
    return binary_cross_entropy(y, p) + discount_loss(y, g)


@formula("eq-03-discount-flow")
def discount_under_training(time, buyers, start=0.0):
    """Discount rate after gradient descent on D3's discount loss for the time `time`.

    One score z for all, g = σ(z), z(0) = `start`, and dz/dt = `buyers` · (1 − g). Then
    z + eᶻ = c with c = start + e^start + buyers · time, so eᶻ = ω(c), Wright's function, and
    g = ω / (1 + ω). `time` is a number or an array, in steps × learning rate.
    """
    if np.any(np.asarray(time) < 0) or buyers < 0:
        raise ValueError("time and buyers must not be negative")
    omega = wrightomega(start + np.exp(start) + buyers * np.asarray(time, dtype=float))
    return omega / (1 + omega)


@formula("eq-03-profit")
def expected_profit(discount, price, cost, base, response):
    """Expected profit per customer, σ(base + response · d) · (price (1 − d) − cost).

    `discount` d is a share of `price`; `base` and `response` are the log-odds of buying without
    discount and their slope in d. Arrays broadcast. What a discount model should maximise, and
    D3's loss does not contain.
    """
    discount = np.asarray(discount, dtype=float)
    if np.any((discount < 0) | (discount > 1)):
        raise ValueError("discount has entries outside [0, 1]; give rates as fractions")
    buys = 1 / (1 + np.exp(-(base + response * discount)))
    return buys * (price * (1 - discount) - cost)


# What the losses estimate ---------------------------------------------------------------------


def best_constant(y) -> float:
    """The one probability that minimises the cross-entropy of all labels, by Newton's method.

    Raises `ValueError` when all labels are equal: the minimum then lies at infinite score.
    """
    y = torch.as_tensor(y, dtype=torch.float64).flatten()
    if y.min() == y.max():
        raise ValueError("all labels are equal; their best score is infinite")
    z = torch.zeros((), dtype=torch.float64)
    for _ in range(50):
        p = torch.sigmoid(z)
        z = z - binary_cross_entropy_gradient(y, z.expand_as(y)).sum() / (len(y) * p * (1 - p))
    return float(torch.sigmoid(z))


def descend(loss, y, steps: int = 200, rate: float = 0.05) -> np.ndarray:
    """Probabilities after gradient descent on `loss(y, σ(z))`, one score per label, from z = 0.

    `loss` is one of the losses of this module. A step is `rate` times the gradient. Of a loss
    without lower bound take few steps: a probability that is rounded to 1 ends in an error.
    """
    y = torch.as_tensor(y, dtype=torch.float64)
    z = torch.zeros_like(y, requires_grad=True)
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(loss(y, torch.sigmoid(z)), z)
        z = (z - rate * gradient).detach().requires_grad_()
    return torch.sigmoid(z).detach().numpy()


def label_mean(bought, reading: str) -> float:
    """Mean label of all (user, item) pairs under one reading of D3's y_i.

    `bought` (users, items) of truth values. Reading "pair": whether this user bought the item;
    "anybody": the index i alone, and somebody bought it; "most": most users bought it.
    """
    bought = np.asarray(bought, dtype=bool)
    if bought.ndim != 2 or bought.size == 0:
        raise ValueError("bought must be a table of users and items that is not empty")
    labels = {
        "pair": bought,
        "anybody": bought.any(axis=0),
        "most": bought.mean(axis=0) > 0.5,
    }
    if reading not in labels:
        raise ValueError(f"no reading {reading!r}; choose from {', '.join(labels)}")
    return float(labels[reading].mean())


def contradicted_items(bought) -> float:
    """Share of the items with both a buyer and a non-buyer: no label y_i without u fits them."""
    share = np.asarray(bought, dtype=bool).mean(axis=0)
    return float(((share > 0) & (share < 1)).mean())


def behaviour_change(counts, later) -> np.ndarray:
    """Distance of each user's behaviour in two sets of weeks, 0 (same) to 1 (nothing in common).

    `counts` (users, weeks, kinds) of purchases; `later` (weeks,) of truth values says which weeks
    are the second set. Behaviour is the distribution of the purchases over the kinds; the distance
    is total variation, NaN for a user without a purchase in one of the sets.
    """
    counts, later = np.asarray(counts, dtype=float), np.asarray(later, dtype=bool)
    x, y = counts[:, ~later].sum(axis=1), counts[:, later].sum(axis=1)
    both = (x.sum(axis=1) > 0) & (y.sum(axis=1) > 0)
    if not both.any():
        raise ValueError("no user has purchases in both sets of weeks; widen them")
    distance = np.full(len(counts), np.nan)
    x, y = (each[both] / each[both].sum(axis=1, keepdims=True) for each in (x, y))
    distance[both] = np.abs(x - y).sum(axis=1) / 2
    return distance


def behaviour_drift(counts, later, alike) -> float:
    """How much more behaviour differs between two sets of weeks than chance makes it differ.

    The upper end of the 95 % interval, over users, of the `behaviour_change` between the weeks of
    `later` and the others, minus that between the weeks of `alike` and the others: two sets of the
    same size that no time separates, say the even and the odd weeks.
    """
    return gain_high(behaviour_change(counts, later), behaviour_change(counts, alike))
