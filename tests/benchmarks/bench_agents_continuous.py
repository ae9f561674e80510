"""DDPG and SAC updates a second against Stable-Baselines3, at equal networks and batch.

Both sides draw a batch from a replay memory of 10,000 transitions and take one step of all their
networks, on one thread, in turn. Many seeds at once: ten agents of ours in one batch against one of
the peer's, counted in agent-updates.
"""

import numpy as np
import torch

from promo_repro.agents.ddpg import DDPG
from promo_repro.agents.replay import Replay
from promo_repro.agents.sac import SAC
from tests.agents import continuous_peers as peers
from tests.benchmarks.record import row, take_turns, told, write

OBSERVATION, ACTION, BATCH, STORED = 4, 2, 256, 10_000
UPDATES, REPEATS = 40, 3
SEED = 1


def own_side(kind, hidden, agents, batch):
    """Our agent and a task that makes one update of each of the `agents`."""
    generator = torch.Generator().manual_seed(SEED)
    agent = kind(agents, OBSERVATION, ACTION, generator, discount=0.9, hidden=hidden)
    memory = Replay(agents, STORED, OBSERVATION, ACTION)
    shape = agents, STORED
    memory.add(
        torch.randn(*shape, OBSERVATION, generator=generator),
        2 * torch.rand(*shape, ACTION, generator=generator) - 1,
        torch.randn(*shape, generator=generator),
        torch.randn(*shape, OBSERVATION, generator=generator),
        torch.zeros(*shape),
    )
    return agent, lambda: agent.update(memory.sample(batch, generator), generator)


def peer_side(agent, batch):
    """The peer with the same networks, and a task that makes one update."""
    peer = peers.ddpg(agent) if isinstance(agent, DDPG) else peers.sac(agent)
    rng = np.random.default_rng(SEED)
    for _ in range(STORED):
        now, later = rng.normal(size=(2, 1, OBSERVATION)).astype(np.float32)
        action = rng.uniform(-1, 1, (1, ACTION)).astype(np.float32)
        peer.replay_buffer.add(now, later, action, rng.normal(size=1), np.zeros(1), [{}])
    return lambda: peer.train(gradient_steps=1, batch_size=batch)


def run():
    """Measure, write `data/results/bench/agents_continuous.json`, and yield one line per task."""
    torch.set_num_threads(1)
    rows = []
    for kind in (DDPG, SAC):
        for hidden, agents in (((64, 64), 1), ((256, 256), 1), ((64, 64), 10)):
            agent, own = own_side(kind, hidden, agents, BATCH)
            single = agent if agents == 1 else own_side(kind, hidden, 1, BATCH)[0]
            _, _, turns = take_turns(own, peer_side(single, BATCH), REPEATS, UPDATES)
            turns = [(mine / agents, theirs) for mine, theirs in turns]
            size = f"{agents} × {hidden[0]}-{hidden[1]}, batch {BATCH}"
            rows.append(row(f"{kind.__name__} update", size, "stable_baselines3", turns))
            yield told(rows[-1])
    yield write("agents_continuous", rows, [SEED])
