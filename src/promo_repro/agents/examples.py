"""Two small worlds for reasoning by hand; the calibrated ones are in the simulator."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Example:
    """Names of states and actions, `rewards` (S, A) and `transitions` (S, A, S)."""

    states: tuple[str, ...]
    actions: tuple[str, ...]
    rewards: np.ndarray
    transitions: np.ndarray


def tiring(promotions=(0.5, 0.6, 0.7), tired=0.1, recovery=1.0):
    """A customer whom every promotion tires: it earns its reward if he is fresh, else a part.

    Actions are none and the `promotions`, named by their rewards for a fresh customer; a tired one
    gives the part `tired` of it. A promotion leaves him tired; without one he is fresh again with
    probability `recovery`.
    """
    gains = np.r_[0.0, promotions]
    transitions = np.zeros((2, len(gains), 2))
    transitions[:, 1:, 1] = 1
    transitions[0, 0] = [1, 0]
    transitions[1, 0] = [recovery, 1 - recovery]
    names = ("none", *(f"promotion {k + 1}" for k in range(len(promotions))))
    return Example(("fresh", "tired"), names, np.stack([gains, tired * gains]), transitions)


def edge(recovery=0.05):
    """A customer who is worth most when he is nearly annoyed, where one message too many loses him.

    States lost, strained, calm; actions rest, coupon, blast. Coupons keep him strained and earn 1,
    resting keeps him calm and earns 0.8. A blast earns 0.9 and loses a strained customer, who comes
    back with probability `recovery` a step.
    """
    rewards = np.array([[0, 0, 0], [0, 1, 0.9], [0.8, 1, 0.9]])
    transitions = np.zeros((3, 3, 3))
    transitions[0, :] = [1 - recovery, 0, recovery]
    transitions[1] = [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    transitions[2] = [[0, 0, 1], [0, 1, 0], [0, 1, 0]]
    names = ("lost", "strained", "calm"), ("rest", "coupon", "blast")
    return Example(*names, rewards, transitions)
