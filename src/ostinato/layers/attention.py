"""Attention: a weighted mean over the steps of a memory, weighted by how well each fits a query."""

from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ostinato.core.errors import ConfigError
from ostinato.core.lengths import valid_steps

Score: TypeAlias = Literal["dot", "general", "additive"]

#: Sums of queries and keys that the additive score holds at once; beyond, some queries at a time, computed again in
#: backward: all of two long texts side by side would take gigabytes.
_SUMS = 1 << 26


class Memory(NamedTuple):
    """What is attended over, made ready once for all queries.

    Attributes:
        keys: `[N, S, K]`, what queries are compared with.
        values: `[N, S, M]`, what is averaged.
        absent: `[N, S]`, True beyond a length; None where all steps count.
    """

    keys: Tensor
    values: Tensor
    absent: Tensor | None = None

    def select(self, rows: Tensor) -> "Memory":
        """The memories of some sequences, `[R]` indices."""
        absent = None if self.absent is None else self.absent.index_select(0, rows)
        return Memory(self.keys.index_select(0, rows), self.values.index_select(0, rows), absent)


class Attention(nn.Module):
    """Scores, a softmax over the steps of the memory, and the mean of its values by these weights.

        dot:      score(q, m) = q . m
        general:  score(q, m) = q . W m
        additive: score(q, m) = v . tanh(W q + U m + b)

    With coverage each place's score also goes by c, the sum of the weights that it had at earlier steps (See et al.
    2017, arXiv:1704.04368, equation 11): additive has w c within the tanh, the others w c beside theirs, w being
    learned, at first zero.

    The first two are Luong et al.'s (2015, arXiv:1508.04025), the last Bahdanau et al.'s (2015, arXiv:1409.0473). For a
    sequence of no steps weights and mean are zero.

    Args:
        score: "dot", "general" or "additive".
        query_size: Q.
        memory_size: M; dot needs it equal to Q.
        attention_size: width of the additive score's hidden layer; Q where None.
        coverage: whether scores go by what was looked at before.

    Raises:
        ConfigError: an unknown score, or dot between different sizes.
    """

    def __init__(
        self,
        score: Score,
        query_size: int,
        memory_size: int,
        *,
        attention_size: int | None = None,
        coverage: bool = False,
    ) -> None:
        super().__init__()
        if score not in ("dot", "general", "additive"):
            raise ConfigError(f"attention: expected 'dot', 'general' or 'additive', got {score!r}")
        if score == "dot" and query_size != memory_size:
            raise ConfigError(
                f"attention 'dot' compares query and memory as they are: expected both of one size, got {query_size} "
                f"and {memory_size}; use 'general'"
            )
        self.score = score
        if score == "general":
            self.key = nn.Linear(memory_size, query_size, bias=False)
        width = attention_size or query_size
        if score == "additive":
            self.query = nn.Linear(query_size, width)
            self.key = nn.Linear(memory_size, width, bias=False)
            self.weight = nn.Parameter(torch.empty(width))
            nn.init.uniform_(self.weight, -(width**-0.5), width**-0.5)
        self.coverage = nn.Parameter(torch.zeros(width if score == "additive" else 1)) if coverage else None

    def memorize(self, memory: Tensor, lengths: Tensor | None = None) -> Memory:
        """Make a memory ready: all that does not depend on a query.

        Args:
            memory: `[S, N, M]`.
            lengths: `[N]`, from 0 to S; None where all are S.
        """
        values, absent = memory.transpose(0, 1), None
        if lengths is not None:
            absent = ~valid_steps(lengths.to(memory.device), memory.shape[0]).T
            values = values.masked_fill(absent.unsqueeze(2), 0)  # a weight of zero times NaN would be NaN
        keys = values if self.score == "dot" else self.key(values)
        return Memory(keys, values, absent)

    def forward(self, query: Tensor, memory: Memory, covered: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Attend, for all queries at once.

        Args:
            query: `[T, N, Q]`.
            memory: as `memorize` gave it.
            covered: `[N, T, S]` sums of earlier weights, of attention with coverage.

        Returns:
            The means `[T, N, M]` and the weights `[T, N, S]`.
        """
        scores = self._scores(query.transpose(0, 1), memory.keys, covered)
        if memory.absent is not None:
            absent = memory.absent.unsqueeze(1)
            # the lowest finite number and zeros afterwards: minus infinity would give NaN where nothing is present
            scores = scores.masked_fill(absent, torch.finfo(scores.dtype).min)
            weights = scores.softmax(-1).masked_fill(absent, 0)
        else:
            weights = scores.softmax(-1)
        return torch.bmm(weights, memory.values).transpose(0, 1), weights.transpose(0, 1)

    def _scores(self, query: Tensor, keys: Tensor, covered: Tensor | None = None) -> Tensor:
        """`[N, T, S]` from `[N, T, Q]`, `[N, S, K]` and, with coverage, `[N, T, S]`."""
        if self.score != "additive":
            scores = torch.bmm(query, keys.transpose(1, 2))
            return scores if covered is None or self.coverage is None else scores + self.coverage * covered
        query = self.query(query)
        if covered is not None and self.coverage is not None:
            sums = query.unsqueeze(2) + keys.unsqueeze(1) + covered.unsqueeze(3) * self.coverage
            return torch.tanh(sums) @ self.weight
        if query.shape[1] == 1:
            return self._additive(query, keys)
        most = max(1, _SUMS // max(1, keys.numel()))  # queries whose sums with all keys are held at once
        if query.shape[1] <= most:
            return self._additive(query, keys)
        parts = [checkpoint(self._additive, part, keys, use_reentrant=False) for part in torch.split(query, most, 1)]
        return torch.cat(parts, dim=1)

    def _additive(self, query: Tensor, keys: Tensor) -> Tensor:
        return torch.tanh(query.unsqueeze(2) + keys.unsqueeze(1)) @ self.weight

    def extra_repr(self) -> str:
        """The score."""
        return repr(self.score)
