"""Peers on the case of two products: `python -m tests.agents.peer_learning [part ...]`.

Stable-Baselines3 with the same market, networks, batch, exploration and number of interactions as
our agents, three seeds each, once with one learning rate and once with all our settings; and
contextual bandits, ten runs each. Each part writes `data/results/10_ddpg/<part>.json`.
"""

import sys

import numpy as np
import torch
from gymnasium.spaces import Box
from stable_baselines3 import DDPG, SAC
from stable_baselines3.common.noise import NormalActionNoise, VectorizedActionNoise
from stable_baselines3.common.vec_env import VecEnv

from promo_repro.agents.continuous_case import CaseMarket, TwoProducts
from promo_repro.agents.continuous_learning import OPTIONS, PLAN, USERS, bandit_shares, forgetful
from promo_repro.agents.continuous_runs import AGENTS, record, row, write
from promo_repro.bandits import LinearThompson, LinUCB

SEEDS = 3


class CaseEnvironments(VecEnv):
    """One market of the case as Stable-Baselines3 sees it: a customer is an environment."""

    def __init__(self, case: TwoProducts, users: int, seed: int):
        self.market = CaseMarket(case, 1, users)
        self.generator = torch.Generator().manual_seed(seed)
        super().__init__(users, Box(-2, 2, (4,), np.float32), Box(-1, 1, (2,), np.float32))

    def reset(self):
        return self.market.reset(self.generator)[0].numpy()

    def step_async(self, actions):
        self.actions = torch.as_tensor(actions)[None]

    def step_wait(self):
        following, reward, reached, ended = self.market.step(self.actions)
        over = self.market.week == 0
        infos = [{} for _ in range(self.num_envs)]
        if over:  # the customers were replaced: cut off, not ended
            for info, last in zip(infos, reached[0].numpy(), strict=True):
                info["terminal_observation"], info["TimeLimit.truncated"] = last, True
        done = ended[0].numpy().astype(bool) | over
        return following[0].numpy(), reward[0].numpy(), done, infos

    def close(self): ...
    def get_attr(self, attr_name, indices=None):
        return [None] * self.num_envs

    def set_attr(self, attr_name, value, indices=None): ...
    def env_method(self, method_name, *method_args, indices=None, **method_kwargs): ...
    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False] * self.num_envs


class OurSettings:
    """Our plan: a rate for each optimiser, an actor that waits, and DDPG's small last layers."""

    def _setup_model(self):
        super()._setup_model()
        if self.kind == "DDPG":
            for network in (self.actor, self.actor_target, self.critic, self.critic_target):
                layers = [part for part in network.modules() if isinstance(part, torch.nn.Linear)]
                for each in layers[-1].parameters():
                    each.data.mul_(0.01)

    def _update_learning_rate(self, optimizers):
        left = self._current_progress_remaining
        rates = OPTIONS[self.kind]["rates"]
        for number, (optimizer, rate) in enumerate(zip(optimizers, rates, strict=True)):
            waits = number == 0 and 1 - left < PLAN.patience / PLAN.steps
            for group in optimizer.param_groups:
                group["lr"] = 0.0 if waits else rate * left


class PacedDDPG(OurSettings, DDPG):
    kind = "DDPG"


class PacedSAC(OurSettings, SAC):
    kind = "SAC"


ONE_RATE = {"DDPG": DDPG, "SAC": SAC}
OUR_SETTINGS = {"DDPG": PacedDDPG, "SAC": PacedSAC}


def train(kind: str, peers: dict, case: TwoProducts, seed: int, steps: int = PLAN.steps):
    """The policy `(p, y) -> (N, 2)` that the peer has learnt, greedy."""
    noise = NormalActionNoise(np.zeros(2), 0.3 * np.ones(2))
    options = {
        "DDPG": {"action_noise": VectorizedActionNoise(noise, USERS)},
        "SAC": {"ent_coef": "auto_0.02", "target_entropy": -4.0},
    }[kind]
    peer = peers[kind](
        "MlpPolicy",
        CaseEnvironments(case, USERS, seed),
        learning_rate=lambda left: 1e-3 * left,
        gamma=case.discount,
        tau=0.02,
        batch_size=PLAN.batch,
        buffer_size=PLAN.capacity,
        learning_starts=PLAN.warmup * USERS,
        train_freq=1,
        gradient_steps=1,
        policy_kwargs={"net_arch": [32, 32]},
        device="cpu",
        seed=seed,
        **options,
    )
    peer.learn(steps * USERS)

    def policy(seen):
        flat = seen.reshape(-1, 4).numpy()
        return torch.as_tensor(peer.predict(flat, deterministic=True)[0]).reshape(1, -1, 2)

    return case.discounts_of(policy, 1)


def peers(name: str, classes: dict) -> None:
    case, rows = TwoProducts(), []
    for kind in ("DDPG", "SAC"):
        shares = [float(case.share(train(kind, classes, case, seed))[0]) for seed in range(SEEDS)]
        print(name, kind, np.round(shares, 4), flush=True)
        rows.append(row(f"Stable-Baselines3 {kind}", "memory", shares))
    write(name, record(f"python -m tests.agents.peer_learning {name}", SEEDS, {"rows": rows}))


def bandits() -> None:
    rows = []
    for name, case in (("memory", TwoProducts()), ("no memory", forgetful(TwoProducts()))):
        for method, policy in (("LinUCB", LinUCB()), ("linear Thompson", LinearThompson())):
            shares = bandit_shares(case, policy, runs=AGENTS, weeks=PLAN.steps, users=USERS, seed=0)
            print(method, name, shares.round(4), flush=True)
            rows.append(row(method, name, shares))
    write("bandits", record("python -m tests.agents.peer_learning bandits", AGENTS, {"rows": rows}))


PARTS = {
    "peers": lambda: peers("peers", ONE_RATE),
    "peers_our_settings": lambda: peers("peers_our_settings", OUR_SETTINGS),
    "bandits": bandits,
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
