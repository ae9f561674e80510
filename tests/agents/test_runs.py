"""The agents as the command trains them: exact resumption, few seeds or many, one device."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from promo_repro.agents import runs
from promo_repro.training.loop import Run, Setting, train
from promo_repro.training.team import Team

MAKERS = {"dqn": runs.dqn_run, "ddpg": runs.ddpg_run, "sac": runs.sac_run}


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def short(method, seeds=2, weeks=40, **options):
    """The method's run with a short plan, so that learning starts at once and episodes end."""
    run = MAKERS[method](Setting(seeds=seeds, **options))
    changed = {"steps": weeks, "warmup": 5, "batch": 32, "updates": 1}
    if method != "dqn":
        changed["patience"] = 15
    run.trainable.plan = replace(run.trainable.plan, **changed)
    run.trainable.batch = run.trainable.setting.team.share(32, "transitions")
    return Run(run.trainable, weeks, 10, simulated=True)


def equal(a, b):
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for name in a:
            equal(a[name], b[name])
    elif isinstance(a, list | tuple):
        for left, right in zip(a, b, strict=True):
            equal(left, right)
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    else:
        assert a == b


@pytest.mark.parametrize("method", MAKERS)
@pytest.mark.parametrize("cut", [3, 17, 31])  # random weeks, inside an episode, after one
def test_resumes_bit_for_bit(method, cut):
    whole, half, resumed = short(method), short(method), short(method)
    for _ in range(cut):
        half.trainable.step()
    resumed.trainable.load_state_dict(half.trainable.state_dict())
    for week in range(40):
        metrics = whole.trainable.step()
        if week >= cut:
            equal(dict(metrics), dict(resumed.trainable.step()))
    equal(whole.trainable.state_dict(), resumed.trainable.state_dict())
    equal(dict(whole.trainable.evaluate()), dict(resumed.trainable.evaluate()))


@pytest.mark.parametrize("method", MAKERS)
def test_same_seed_same_curve(method, tmp_path):
    first, second, other = (
        train(short(method, seed=seed), tmp_path / name, {})
        for name, seed in (("a", 4), ("b", 4), ("c", 5))
    )
    for (_, left), (_, right) in zip(first, second, strict=True):
        equal(left, right)
    with pytest.raises(AssertionError):
        equal(first[-1][1], other[-1][1])


@pytest.mark.parametrize("method", MAKERS)
def test_every_agent_of_the_batch_learns_for_itself(method):
    run = short(method, seeds=3)
    for _ in range(20):
        metrics = run.trainable.step()
    for values in metrics.values():
        assert values.shape == (3,)
        assert len(values.unique()) == 3
    assert run.trainable.evaluate()[runs.SHARE].shape == (3,)


@pytest.mark.parametrize("method", MAKERS)
def test_the_shares_are_of_the_optimum(method):
    shares = short(method).trainable.evaluate()[runs.SHARE]
    assert ((shares > -1) & (shares <= 1 + 1e-9)).all()


def test_the_learning_rate_falls_to_zero():
    run = short("ddpg")
    rates = []
    for _ in range(40):
        run.trainable.step()
        rates.append([group["lr"] for group in run.trainable.groups()])
    assert rates[0] == pytest.approx([5e-4 * 39 / 40, 3e-3 * 39 / 40])
    assert rates[-1] == [0, 0]


def test_the_policy_waits_for_the_critic():
    trainable = short("ddpg").trainable
    start = [each.clone() for each in trainable.agent.actor.parameters()]
    for week in range(1, 17):
        trainable.step()
        same = all(map(torch.equal, start, trainable.agent.actor.parameters()))
        assert same == (week <= 15)


def test_targets_beyond_what_any_policy_earns_are_caught(tmp_path):
    run = short("dqn")
    with torch.no_grad():
        for bias in (run.trainable.agent.slow.biases[-1], run.trainable.agent.online.biases[-1]):
            bias += 1e4
    with pytest.raises(FloatingPointError, match=r"target is .* the training diverged"):
        train(run, tmp_path, {})


def test_the_processes_share_users_and_batch():
    alone = MAKERS["dqn"](Setting())
    part = runs.Promoting(
        alone.trainable.agent, alone.trainable.market, alone.trainable.plan,
        Setting(team=Team(1, 2)), action=1, weeks=26, measure=None,
    )  # fmt: skip
    assert part.batch * 2 == alone.trainable.batch
    seen = [torch.rand(3, generator=each.exploration) for each in (alone.trainable, part)]
    assert not torch.equal(*seen)
    weights = [runs.weights(Setting(team=Team(rank, 2))) for rank in (0, 1)]
    assert torch.equal(weights[0].get_state(), weights[1].get_state())


def test_bfloat16_learns_with_full_weights():
    run = short("sac", precision="bfloat16")
    for _ in range(20):
        metrics = run.trainable.step()
    assert all(bool(values.isfinite().all()) for values in metrics.values())
    assert {each.dtype for each in run.trainable.agent.actor.parameters()} == {torch.float32}


DEVICE_CHECK = """
import torch
from tests.training.accelerator import accelerator
from promo_repro.agents import continuous_training, dqn, runs
from promo_repro.agents.ddpg import DDPG
from promo_repro.agents.sac import SAC
from promo_repro.training.loop import Setting
from promo_repro.training.seeding import generator


class Market:
    agents, users, observation, dtype = 2, 8, 4, torch.float32

    def __init__(self, device):
        self.device = device

    def reset(self, draw):
        return torch.zeros(2, 8, 4, device=self.device)

    def step(self, action):
        seen, reward = self.reset(None), torch.zeros(2, 8, device=self.device)
        return seen, reward + action.sum(), seen, reward


with accelerator() as device:
    try:
        torch.zeros(2, device=device) + torch.zeros(2)
    except RuntimeError as error:
        assert "Expected all tensors to be on the same device" in str(error)
    else:
        raise AssertionError("this accelerator would notice nothing")
    setting = Setting(seeds=2, device=device)
    draw = generator(0, "weights", device=device)
    discount = {"discount": 0.9}
    cases = [
        (runs.Promoting, dqn.DQN(2, 4, 3, draw, **discount), dqn.Plan(60), 1),
        (runs.Discounting, DDPG(2, 4, 2, draw, **discount), continuous_training.Plan(60), 2),
        (runs.Discounting, SAC(2, 4, 2, draw, **discount), continuous_training.Plan(60), 2),
    ]
    for kind, agent, plan, action in cases:
        kind.moving = lambda self: (self, ())
        run = kind(agent, Market(device), plan, setting, action=action, weeks=5, measure=None)
        # What reads a value cannot run without one: the check for NaN, and the random warm-up.
        run.memory.add = lambda *rows: [row.sum() + run.memory.rows.sum() for row in rows]
        for run.week in (0, 30):
            run.memory.added = 200
            metrics = run.step()
        assert len(metrics) == 2
        tensors = [*metrics.values(), run.observation]
        for part in run.parts().values():
            tensors += part if isinstance(part, list) else [part]
        for optimiser in run.optimisers():
            tensors += [v for state in optimiser.state.values() for v in state.values()]
        found = {each.device.type for each in tensors if isinstance(each, torch.Tensor)}
        assert found == {device}, found
print("one device")
"""


def test_no_cpu_tensor_meets_an_accelerator():
    """Acting, remembering, learning and updating, in a market that is nothing but shapes."""
    done = subprocess.run(
        [sys.executable, "-c", DEVICE_CHECK], capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "one device\n", done.stderr[-3000:]
