"""A policy with a memory: the T-maze (Bakker 2001), learned by an advantage actor-critic (Mnih et al. 2016).

An agent sees left or right at the entrance of a corridor, walks on through it, and at the junction has to turn to the
side that it saw. Corridors differ in length, so episodes end at different steps; many mazes run side by side, each
beginning anew where it ends. What they brought lies in `[T, N]`, steps by mazes, and `resets` says where an episode
begins: the layer reads a whole rollout in one call, and no state and no gradient passes from one episode to the next.

    hx          the state at a rollout's first step, carried from the rollout before
    resets      True at the first step of an episode: there the state is zero
    stream      the same layer a step at a time, to act by; `stream.reset(begins)` where an episode begins

Without a memory half of the turns are right. That agent is the same layer, with `resets` True at every step.

    python examples/t_maze.py             # a minute; draws t_maze.png
    python examples/t_maze.py --updates 50 --longest 5
"""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

import ostinato
from ostinato.plots import COLOURS, picture, require_matplotlib

LEFT, RIGHT, CORRIDOR, JUNCTION = range(4)  # what is seen
FORWARD, TURN_LEFT, TURN_RIGHT = range(3)  # what is done


class Mazes:
    """N mazes side by side. A right turn at the junction is worth 1, a wrong one -1, and every vain step -0.1."""

    def __init__(self, count: int, longest: int) -> None:
        self.longest = longest
        self.side, self.left, self.entered = (torch.zeros(count, dtype=torch.long) for _ in range(3))
        self._enter(torch.ones(count, dtype=torch.bool))

    def _enter(self, which: Tensor) -> None:
        """Begin new episodes."""
        self.side = torch.where(which, torch.randint(2, which.shape), self.side)
        self.left = torch.where(which, torch.randint(1, self.longest + 1, which.shape), self.left)
        self.entered = which

    def seen(self) -> Tensor:
        """`[N, 4]`: the side at the entrance, then the corridor, then the junction."""
        place = torch.where(self.left > 0, CORRIDOR, JUNCTION)
        return nn.functional.one_hot(torch.where(self.entered, self.side, place), 4).float()

    def act(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Rewards `[N]`, and which episodes are over; those begin anew."""
        at_end, walks = self.left == 0, actions == FORWARD
        right = at_end & (actions == self.side + TURN_LEFT)
        rewards = torch.where(right, 1.0, torch.where(at_end & ~walks, -1.0, -0.1 * (at_end == walks).float()))
        over = at_end & ~walks
        self.left = self.left - (walks & ~at_end).long()
        self._enter(over)
        return rewards, over


class Agent(nn.Module):
    """What it remembers of what it saw decides what it does (`actor`), and how much that will be worth (`critic`)."""

    def __init__(self, hidden_size: int = 24) -> None:
        super().__init__()
        self.memory = ostinato.Recurrent("gru", 4, hidden_size)
        self.actor, self.critic = nn.Linear(hidden_size, 3), nn.Linear(hidden_size, 1)


class Rollout(NamedTuple):
    """What N mazes brought in T steps: each `[T, N]`, what was seen `[T, N, 4]`."""

    seen: Tensor
    begins: Tensor
    actions: Tensor
    rewards: Tensor
    over: Tensor


def rollouts(agent: Agent, mazes: Mazes, steps: int, *, forgets: bool) -> Iterator[tuple[Rollout, Tensor]]:
    """Act for T steps, again and again: what that brought, and the state before the first of them."""
    stream = agent.memory.stream(len(mazes.side))
    while True:
        brought, before = [], stream.state.h
        for _ in range(steps):
            seen = mazes.seen()
            begins = mazes.entered | forgets
            stream.reset(begins)
            with torch.no_grad():
                actions = Categorical(logits=agent.actor(stream.step(seen))).sample()
            brought.append((seen, begins, actions, *mazes.act(actions)))
        yield Rollout(*map(torch.stack, zip(*brought, strict=True))), before


def learn(updates: int, longest: int, *, forgets: bool, steps: int = 32, seed: int = 1) -> list[float]:
    """Share of right turns in each update's rollout, of all that were made."""
    torch.manual_seed(seed)
    agent = Agent()
    optimizer = torch.optim.Adam(agent.parameters(), lr=5e-3)
    shares: list[float] = []
    for rollout, before in rollouts(agent, Mazes(64, longest), steps, forgets=forgets):
        remembered, _ = agent.memory(rollout.seen, before, resets=rollout.begins)
        values = agent.critic(remembered).squeeze(-1)
        chances = Categorical(logits=agent.actor(remembered))
        returns, after = [], values[-1].detach()  # what comes from the last step on, the critic guesses
        for reward, over in zip(rollout.rewards[:-1].flip(0), rollout.over[:-1].flip(0), strict=True):
            after = reward + 0.98 * torch.where(over, 0.0, after)
            returns.insert(0, after)
        advantages = torch.stack(returns) - values[:-1]
        loss = -(chances.log_prob(rollout.actions)[:-1] * advantages.detach()).mean()
        loss = loss + 0.5 * advantages.square().mean() - 0.01 * chances.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
        optimizer.step()
        turned = rollout.rewards[rollout.over]
        shares.append((turned > 0).float().mean().item() if len(turned) else float("nan"))
        if len(shares) == updates:
            return shares
    return shares


def draw(courses: dict[str, list[float]], file: str) -> None:
    """Right turns over updates, each a mean of 20."""
    with picture(file) as axes:
        for (name, shares), colour in zip(courses.items(), COLOURS, strict=False):
            means = torch.tensor(shares).unfold(0, min(20, len(shares)), 1).nanmean(-1)
            axes.plot(range(1, len(means) + 1), means, color=colour, label=name)
        axes.axhline(0.5, color="#888888", linewidth=1)
        axes.set(title="T-maze: turns to the side seen at the entrance", xlabel="updates", ylabel="right turns, share")
        axes.legend(fontsize=8)


def main() -> None:
    """Train both agents, print how many of their last turns were right, draw the courses."""
    require_matplotlib()
    parser = argparse.ArgumentParser(description="T-maze")
    parser.add_argument("--updates", type=int, default=400, help="of the weights, for each agent")
    parser.add_argument("--longest", type=int, default=10, help="corridor; the shortest is of one step")
    options = parser.parse_args()
    courses = {}
    for name, forgets in {"with a memory": False, "without": True}.items():
        courses[name] = learn(options.updates, options.longest, forgets=forgets)
        last = torch.tensor(courses[name][-20:]).nanmean().item()
        print(f"{name}: {last:.0%} of the turns in the last {min(20, options.updates)} updates were right")
    draw(courses, "t_maze.png")


if __name__ == "__main__":
    main()
