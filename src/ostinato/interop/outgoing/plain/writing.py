"""A decoder of torch.nn's classes: it writes token after token, and may look at what was read."""

import math
from collections.abc import Collection
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ostinato.interop.outgoing.plain.padded import recurrent, run


class Memory(NamedTuple):
    """What is attended over: `keys` `[N, S, K]`, `values` `[N, S, M]`; `absent` `[N, S]` is true of nothing."""

    keys: Tensor
    values: Tensor
    absent: Tensor


class State(NamedTuple):
    """What the next step depends on: states of the first layer and of those above it, a tuple of fields each; what
    every step sees of the beginning (`peek`), what the step before gave (`fed`), and the memory."""

    first: tuple[Tensor, ...]
    above: tuple[Tensor, ...]
    peek: Tensor | None
    fed: Tensor | None
    memory: Memory | None

    def rows(self, rows: Tensor) -> "State":
        """Some of the rows, in another order; the memory stays."""
        first, above = (tuple(field[:, rows] for field in fields) for fields in (self.first, self.above))
        peek, fed = (None if field is None else field[rows] for field in (self.peek, self.fed))
        return State(first, above, peek, fed, self.memory)

    def of(self, row: int) -> "State":
        """One row with its own memory."""
        memory = None if self.memory is None else Memory(*(field[row : row + 1] for field in self.memory))
        return self.rows(torch.tensor([row]))._replace(memory=memory)


class Attention(nn.Module):
    """The mean of a memory's values, weighted by how well their keys fit a query: dot, general or additive."""

    def __init__(self, score: str, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.score = score
        if score != "dot":
            self.key = nn.Linear(memory_size, query_size, bias=False)
        if score == "additive":
            self.query = nn.Linear(query_size, query_size)
            self.weight = nn.Parameter(torch.zeros(query_size))

    def memorize(self, memory: Tensor, lengths: Tensor) -> Memory:
        """Of a memory `[S, N, M]`, of which `lengths` `[N]` steps are valid."""
        absent = (torch.arange(len(memory))[:, None] >= lengths).T
        values = memory.transpose(0, 1).masked_fill(absent.unsqueeze(2), 0.0)
        return Memory(values if self.score == "dot" else self.key(values), values, absent)

    def forward(self, query: Tensor, memory: Memory) -> Tensor:
        """Means `[T, N, M]` for queries `[T, N, Q]`; a memory of one row is everybody's."""
        query = query.transpose(0, 1)
        if self.score == "additive":
            sums = self.query(query).unsqueeze(2) + memory.keys.unsqueeze(1)
            scores = torch.tanh(sums) @ self.weight
        else:
            scores = query @ memory.keys.transpose(1, 2)
        absent = memory.absent.unsqueeze(1)
        weights = scores.masked_fill(absent, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(absent, 0.0)
        return (weights @ memory.values).transpose(0, 1)


class Decoder(nn.Module):
    """Embedding, a recurrent layer, attention, the layers above it, and a linear layer over the vocabulary."""

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        layers: dict[str, Any],
        memory_size: int,
        attention: str | None = None,
        peeky: bool = False,
        input_feeding: bool = False,
        readout: int | None = None,
    ) -> None:
        super().__init__()
        self.peeky, self.input_feeding = peeky, input_feeding
        width = layers.get("proj_size") or layers["hidden_size"]
        seen, peek = memory_size if attention else 0, width if peeky else 0
        self.read_size = readout or width + seen + peek
        self.embedding = nn.Embedding(vocab_size, embed_size)
        fed = self.read_size if input_feeding else 0
        self.first = recurrent(embed_size + peek + fed, **{**layers, "num_layers": 1})
        self.attention = Attention(attention, width, memory_size) if attention else None
        self.above: nn.Module | None = None
        if layers["num_layers"] > 1:
            self.above = recurrent(width + seen, **{**layers, "num_layers": layers["num_layers"] - 1})
        self.readout = nn.Linear(width + seen + peek, readout) if readout else None
        self.output = nn.Linear(self.read_size, vocab_size)

    def start(self, fields: tuple[Tensor, ...], memory: Tensor, lengths: Tensor) -> State:
        """The state before the first step, from those of all layers, `[L, N, H]` a field, and a memory `[S, N, M]`."""
        h = fields[0]
        return State(
            tuple(field[:1] for field in fields),
            tuple(field[1:] for field in fields),
            h[-1] if self.peeky else None,
            h.new_zeros(h.shape[1], self.read_size) if self.input_feeding else None,
            None if self.attention is None else self.attention.memorize(memory, lengths),
        )

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Scores `[T, N, V]` of the tokens that come behind each of `tokens` `[T, N]`, and the state."""
        if not self.input_feeding:
            return self.read(tokens, state)
        found = []
        for row in tokens:
            scores, state = self.read(row.unsqueeze(0), state)
            found.append(scores)
        return torch.cat(found), state

    def read(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """The same where no step reads what another one gave."""
        peek = [] if state.peek is None else [state.peek.expand(len(tokens), -1, -1)]
        fed = [] if state.fed is None else [state.fed.unsqueeze(0)]
        h, first = run(self.first, torch.cat([self.embedding(tokens), *peek, *fed], dim=-1), state.first)
        above, seen = state.above, []
        if self.attention is not None and state.memory is not None:
            seen = [self.attention(h, state.memory)]
        if self.above is not None:
            h, above = run(self.above, torch.cat([h, *seen], dim=-1), state.above)
        read = torch.cat([h, *seen, *peek], dim=-1)
        if self.readout is not None:
            read = torch.tanh(self.readout(read))
        after = State(first, above, state.peek, read[-1] if self.input_feeding else None, state.memory)
        return self.output(read), after


class Search:
    """From a decoder to a text: the most probable token each time, or the best of several hypotheses."""

    def __init__(self, end: int, never: Collection[int], length_penalty: float) -> None:
        self.end, self.never, self.alpha = end, sorted(never), length_penalty  # a text begins with its end, too

    def best(self, decoder: Decoder, state: State, limit: int, width: int) -> tuple[list[int], float]:
        """The tokens, without the end, and their score: log-probability, of a beam over its length penalty."""
        with torch.no_grad():
            return (self.greedy if width == 1 else self.beam)(decoder, state, limit, width)

    def greedy(self, decoder: Decoder, state: State, limit: int, width: int = 1) -> tuple[list[int], float]:
        """The most probable token each time, `limit` of them at most."""
        written: list[int] = []
        token, total = self.end, 0.0
        while True:
            scores, state = decoder(torch.tensor([[token]]), state)
            logs = self.log_probabilities(scores[0], last=len(written) == limit)[0]
            token = int(logs.argmax())
            total += float(logs[token])
            if token == self.end:
                return written, total
            written.append(token)

    def beam(self, decoder: Decoder, state: State, limit: int, width: int) -> tuple[list[int], float]:
        """Beam search with Wu et al.'s length penalty (2016, arXiv:1609.08144)."""
        ended: list[tuple[float, list[int]]] = []
        written: list[list[int]] = [[]]
        tokens, totals = torch.tensor([self.end]), torch.zeros(1, dtype=torch.float64)
        for length in range(1, limit + 2):
            scores, state = decoder(tokens.unsqueeze(0), state)
            sums = totals.unsqueeze(1) + self.log_probabilities(scores[0], last=length > limit).double()
            best, places = sums.flatten().topk(min(2 * width, sums.numel()))
            V = sums.shape[1]
            found = [
                (total, place // V, place % V) for total, place in zip(best.tolist(), places.tolist(), strict=True)
            ]
            penalty = ((5 + length) / 6) ** self.alpha
            for total, row, token in found[:width]:
                if token == self.end and math.isfinite(total):
                    ended.append((total / penalty, written[row]))
            alive = [one for one in found if one[2] != self.end and math.isfinite(one[0])][:width]
            good = len(ended) >= width and bool(alive) and max(ended)[0] >= alive[0][0] / penalty
            if good or not alive:
                break
            written = [[*written[row], token] for _, row, token in alive]
            totals = torch.tensor([total for total, _, _ in alive], dtype=torch.float64)
            tokens = torch.tensor([token for _, _, token in alive])
            state = state.rows(torch.tensor([row for _, row, _ in alive]))
        if not ended:
            raise ValueError("expected finite scores of the next token, got none")
        score, kept = max(ended, key=lambda one: one[0])
        return kept, score

    def log_probabilities(self, scores: Tensor, last: bool) -> Tensor:
        """`[K, V]`, minus infinity for what may not come: at the `last` step, for all but the end."""
        logs = scores.float().log_softmax(-1)
        if self.never:
            logs[:, self.never] = -torch.inf
        if last:
            ends = logs[:, self.end].clone()
            logs[:] = -torch.inf
            logs[:, self.end] = ends
        return logs
