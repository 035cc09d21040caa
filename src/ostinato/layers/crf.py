"""A linear-chain conditional random field: whole sequences of tags are scored, not one tag at a time."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ostinato.core.lengths import valid_steps

#: Score of a transition that may not be. Finite, so that gradients stay numbers; e to it is 0 in every float type.
FORBIDDEN = -1e4


class Chain(NamedTuple):
    """Scores of neighbouring tags, K of them.

    Attributes:
        start: `[K]`, of a tag in front.
        transitions: `[K, K]`, of the column's tag right behind the row's.
        end: `[K]`, of a tag at the end.
    """

    start: Tensor
    transitions: Tensor
    end: Tensor

    def plus(self, other: "Chain | None") -> "Chain":
        """The sum of both: learned scores and constraints, say."""
        return self if other is None else Chain(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class CRF(nn.Module):
    """Learned scores of neighbouring tags, for a distribution over whole sequences (Lafferty, McCallum, Pereira 2001).

    With the scores e of single tags, from whatever stands before this layer,

        s(y) = start[y_1] + sum_t e_t[y_t] + sum_t transitions[y_(t-1), y_t] + end[y_T]
        log p(y) = s(y) - log sum_y' exp s(y')

    The functions of this module compute the terms: `path_score`, `log_partition`, `best_path`.

    Args:
        num_tags: K.
    """

    def __init__(self, num_tags: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.empty(num_tags))
        self.transitions = nn.Parameter(torch.empty(num_tags, num_tags))
        self.end = nn.Parameter(torch.empty(num_tags))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform within 0.1: at first hardly more than the single tags' scores."""
        for scores in self.parameters():
            nn.init.uniform_(scores, -0.1, 0.1)

    def chain(self) -> Chain:
        """The scores."""
        return Chain(self.start, self.transitions, self.end)

    def forward(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        """As `log_likelihood`, with this layer's scores."""
        return log_likelihood(emissions, self.chain(), tags, lengths)


def log_likelihood(emissions: Tensor, chain: Chain, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Log-probability of whole sequences of tags, `[N]` in nats; 0 for a sequence of length 0.

    Args:
        emissions: `[T, N, K]` scores of each tag at each step.
        chain: scores of neighbours.
        tags: `[T, N]` ids.
        lengths: `[N]` valid steps, padding on the right; T where None.
    """
    return path_score(emissions, chain, tags, lengths) - log_partition(emissions, chain, lengths)


def path_score(emissions: Tensor, chain: Chain, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
    """s(y), `[N]`; arguments as `log_likelihood`."""
    T, N, _ = emissions.shape
    if T == 0:
        return emissions.new_zeros(N)
    lengths = _lengths(lengths, emissions)
    valid = valid_steps(lengths, T)
    tags = tags.where(valid, 0)
    single = emissions.gather(2, tags.unsqueeze(2)).squeeze(2)
    neighbours = chain.transitions[tags[:-1], tags[1:]]
    last = tags.gather(0, (lengths - 1).clamp(min=0).unsqueeze(0)).squeeze(0)
    ends = chain.start[tags[0]] + chain.end[last]
    inside = single.where(valid, 0).sum(0) + neighbours.where(valid[1:], 0).sum(0)
    return (inside + ends).where(lengths > 0, 0)


def log_partition(emissions: Tensor, chain: Chain, lengths: Tensor | None = None) -> Tensor:
    """The log of the sum over all sequences y of exp s(y), `[N]`, exact: the forward recursion in log space.

    Its gradient with respect to the emissions are the marginals p(y_t = k). Arguments as `log_likelihood`.
    """
    T, N, _ = emissions.shape
    if T == 0:
        return emissions.new_zeros(N)
    lengths = _lengths(lengths, emissions)
    # What stands in the padding may be infinite: then a gradient of zero times it would be no number.
    emissions = emissions.where(valid_steps(lengths, T).unsqueeze(2), 0)
    forward = chain.start + emissions[0]
    for t in range(1, T):
        # [N, from, to] -> [N, to]
        step = torch.logsumexp(forward.unsqueeze(2) + chain.transitions, dim=1) + emissions[t]
        forward = step.where((t < lengths).unsqueeze(1), forward)
    return torch.logsumexp(forward + chain.end, dim=1).where(lengths > 0, 0)


def marginals(emissions: Tensor, chain: Chain, lengths: Tensor | None = None) -> Tensor:
    """p(y_t = k), `[T, N, K]`, zero beyond a length; arguments as `log_likelihood`."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        # copies: what was made within inference mode has no gradient
        leaf, chain = emissions.detach().clone().requires_grad_(), Chain(*(scores.detach().clone() for scores in chain))
        total = log_partition(leaf, chain, lengths).sum()
        (found,) = torch.autograd.grad(total, leaf)
    return found


@torch.no_grad()
def best_path(emissions: Tensor, chain: Chain, lengths: Tensor | None = None) -> Tensor:
    """The most probable sequences of tags, `[T, N]` ids, 0 beyond a length, by Viterbi's recursion (1967).

    Arguments as `log_likelihood`. Of equally good sequences it returns one.
    """
    T, N, K = emissions.shape
    path = torch.zeros(T, N, dtype=torch.long, device=emissions.device)
    if T == 0 or N == 0:
        return path
    lengths = _lengths(lengths, emissions)
    emissions = emissions.where(valid_steps(lengths, T).unsqueeze(2), 0)
    best = chain.start + emissions[0]
    stay = torch.arange(K, device=emissions.device).expand(N, K)
    came_from = []
    for t in range(1, T):
        step, source = (best.unsqueeze(2) + chain.transitions).max(dim=1)
        valid = (t < lengths).unsqueeze(1)
        best = (step + emissions[t]).where(valid, best)
        came_from.append(source.where(valid, stay))
    tag = (best + chain.end).argmax(dim=1)
    path[T - 1] = tag
    for t in range(T - 1, 0, -1):
        tag = came_from[t - 1].gather(1, tag.unsqueeze(1)).squeeze(1)
        path[t - 1] = tag
    return path.where(valid_steps(lengths, T), 0)


def _lengths(lengths: Tensor | None, emissions: Tensor) -> Tensor:
    T, N, _ = emissions.shape
    if lengths is None:
        return torch.full((N,), T, device=emissions.device)
    return lengths.to(emissions.device, torch.int64)  # from which one can be subtracted
