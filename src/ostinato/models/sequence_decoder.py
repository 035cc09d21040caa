"""A recurrent decoder: writes a sequence, started from a state and, where it attends, looking at a memory."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.config.cells import DEFAULT_CELL
from ostinato.core.errors import ConfigError
from ostinato.layers.attention import Attention, Memory, Score
from ostinato.layers.copying import mixed
from ostinato.layers.recurrent import Recurrent


class DecoderState(NamedTuple):
    """All that a decoder's next step depends on, for N memories with K hypotheses each, in N*K rows.

    Attributes:
        first: of the first layer, `[1, N*K, size]` a field.
        above: of the layers above it, `[L-1, N*K, size]` a field; None where there are none.
        peek: `[N*K, O]`, what each step sees of the beginning; None unless peeky.
        fed: `[N*K, R]`, what the step before gave; None without input feeding.
        memory: of N sequences; None without attention.
        copied: `[N, S]` ids of the memory's words, to be copied; None where nothing is.
        covered: `[N*K, S]` sums of attention's weights so far; None without coverage.
    """

    first: Any
    above: Any
    peek: Tensor | None
    fed: Tensor | None
    memory: Memory | None
    copied: Tensor | None = None
    covered: Tensor | None = None

    def select(self, rows: Tensor, memories: Tensor | None = None) -> "DecoderState":
        """Some of the hypotheses, in another order: `[R']` of the N*K rows, and `[N']` of the N memories where they
        change."""

        def pick(fields: Any) -> Any:
            return None if fields is None else type(fields)(*(field.index_select(1, rows) for field in fields))

        of_rows = (self.peek, self.fed, self.covered)
        peek, fed, covered = (None if field is None else field.index_select(0, rows) for field in of_rows)
        memory, copied = self.memory, self.copied
        if memories is not None:
            memory = memory if memory is None else memory.select(memories)
            copied = copied if copied is None else copied.index_select(0, memories)
        return DecoderState(pick(self.first), pick(self.above), peek, fed, memory, copied, covered)


class DecoderOutput(NamedTuple):
    """What a loss needs, logits on demand.

    Attributes:
        hidden: `[T, N, R]`, input of the output layer.
        weight: `[V, R]` of the output layer.
        bias: `[V]` of the output layer.
        state: after the last step.
        attention: `[T, N, S]` weights over the memory's steps; None without attention.
        gates: `[T, N]` log odds of generating a word to copying one; None of a decoder that copies nothing.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor
    state: DecoderState
    attention: Tensor | None
    gates: Tensor | None = None

    def logits(self) -> Tensor:
        """Scores of every token at every step, `[T, N, V]`."""
        return F.linear(self.hidden, self.weight, self.bias)


class SequenceDecoder(nn.Module):
    """Embedding, recurrent layers, attention between the first and those above, and a linear layer over the vocabulary.

        h1_t  = layer 1 (y_{t-1}, peek, fed_{t-1})
        c_t   = attention(h1_t, memory)
        h_t   = layers 2..L (h1_t, c_t), or h1_t where L = 1
        r_t   = tanh(W_r (h_t, c_t, peek))
        p(y_t) = softmax(W_o r_t + b_o)

    With one layer this is Luong et al.'s decoder (2015, arXiv:1508.04025). With more, the layers above read what
    attention gave at every step so far, so that they know what has been covered, as Wu et al.'s do (2016,
    arXiv:1609.08144); and still each layer runs over all steps of a target in one call. Only input feeding, scheduled
    sampling and coverage go step by step. Without attention, and unless tied, r_t is (h_t, peek) itself.

    Args:
        vocab_size: V.
        embed_size: E.
        hidden_size: H.
        num_layers: L.
        cell: a registered cell's name.
        dropout: share set to zero in training: after the embedding, between layers and before the output layer.
        memory_size: M, features of the memory; 0 for none.
        attention: score of the attention; None for none.
        peeky: every step sees the initial state's h: the first layer and the output (Cho et al. 2014,
            arXiv:1406.1078).
        input_feeding: each step also reads r of the step before (Luong et al. 2015).
        tied: the output layer uses the embedding's weights; R is then E, else H.
        readout: whether attention's context goes through W_r; without, r_t is (h_t, c_t, peek) itself.
        copy: whether words of the memory can be copied (`layers.copying`), s_t being h1_t.
        coverage: whether attention goes by what it has looked at.
        unknown: id that is read in the place of a copied word that the vocabulary lacks.
        **options: of `Recurrent` and of the cell.

    Raises:
        ConfigError: attention without a memory; input feeding, copying or coverage without attention.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        cell: str = DEFAULT_CELL,
        dropout: float = 0.0,
        memory_size: int = 0,
        attention: Score | None = None,
        peeky: bool = False,
        input_feeding: bool = False,
        tied: bool = False,
        readout: bool = True,
        copy: bool = False,
        coverage: bool = False,
        unknown: int = 1,
        **options: Any,
    ) -> None:
        super().__init__()
        if (copy or coverage) and attention is None:
            raise ConfigError("copying and coverage go by what attention looks at: choose an attention as well")
        if attention is not None and not memory_size:
            raise ConfigError("attention needs a memory to look at: expected memory_size above 0")
        if input_feeding and attention is None:
            raise ConfigError("input feeding passes on what attention gave: choose an attention as well")
        if not readout and (tied or num_layers > 1):
            raise ConfigError("readout=False is for one layer and an output layer of its own")
        self.peeky, self.input_feeding, self.num_layers = peeky, input_feeding, num_layers
        self.embedding = nn.Embedding(vocab_size, embed_size)
        # what a layer's h is wide is known once there is one: a cell may project it
        self.first_width = Recurrent(cell, 1, hidden_size, **options, device="meta").output_size
        peek = self.first_width if peeky else 0
        seen = memory_size if attention is not None else 0
        projected = (attention is not None and readout) or tied
        self.read_size = embed_size if tied else hidden_size if projected else self.first_width + seen + peek
        fed = self.read_size if input_feeding else 0
        self.first = Recurrent(cell, embed_size + peek + fed, hidden_size, **options)
        self.attention = None
        if attention is not None:
            self.attention = Attention(attention, self.first_width, memory_size, coverage=coverage)
        self.vocab_size, self.unknown = vocab_size, unknown
        self.generates = nn.Linear(seen + self.first_width + embed_size, 1) if copy else None
        self.above = None
        if num_layers > 1:
            width = self.first_width + seen
            self.above = Recurrent(cell, width, hidden_size, num_layers - 1, dropout=dropout, **options)
        self.readout = nn.Linear(self.first_width + seen + peek, self.read_size) if projected else None
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.read_size, vocab_size)
        # with logits of variance 1 at most, whichever way the weights are used
        nn.init.normal_(self.embedding.weight, std=embed_size**-0.5)
        nn.init.zeros_(self.output.bias)
        if tied:
            self.output.weight = self.embedding.weight

    def initial_state(self, batch_size: int) -> Any:
        """Zeros for all layers: each field `[L, N, size]`."""
        first = self.first.initial_state(batch_size)
        if self.above is None:
            return first
        above = self.above.initial_state(batch_size)
        return type(first)(*(torch.cat(fields) for fields in zip(first, above, strict=True)))

    def start(
        self,
        state: Any,
        memory: Tensor | None = None,
        lengths: Tensor | None = None,
        copied: Tensor | None = None,
    ) -> DecoderState:
        """The state before the first step, from that of all layers, `[L, N, size]` a field, with a memory `[S, N, M]`
        to attend over, of lengths `[N]` where not all are S, whose words `copied` `[S, N]` can be copied.

        Raises:
            ValueError: no memory, of a decoder that attends.
        """
        kind = type(state)
        first = kind(*(field[:1] for field in state))
        above = None if self.above is None else kind(*(field[1:] for field in state))
        fed = state[0].new_zeros(state[0].shape[1], self.read_size) if self.input_feeding else None
        made = None
        if self.attention is not None:
            if memory is None:
                raise ValueError("this decoder attends: expected a memory")
            made = self.attention.memorize(memory, lengths)
        covered = None
        if self.attention is not None and self.attention.coverage is not None and memory is not None:
            covered = memory.new_zeros(memory.shape[1], memory.shape[0])
        places = None if copied is None or self.generates is None else copied.T.contiguous()
        return DecoderState(first, above, state[0][-1] if self.peeky else None, fed, made, places, covered)

    def forward(
        self, inputs: Tensor, state: DecoderState, lengths: Tensor | None = None, sampling: float | Tensor = 0.0
    ) -> DecoderOutput:
        """Predict each token from those before it.

        Args:
            inputs: `[T, N]` token ids, the first one that which stands for the beginning.
            state: as `start` or an earlier output gave it.
            lengths: `[N]` of the inputs; None where all are T. What comes beyond is of no meaning.
            sampling: scheduled sampling (Bengio et al. 2015, arXiv:1506.03099): probability that an input is drawn
                from what the decoder itself predicts for that place.
        """
        if not (self.input_feeding or sampling or state.covered is not None):
            hidden, state, weights, gates = self._read(inputs, state, lengths)
        else:
            hidden, state, weights, gates = self._read_by_steps(inputs, state, sampling)
        return DecoderOutput(hidden, self.output.weight, self.output.bias, state, weights, gates)

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """One token more for each of K hypotheses of N sequences: `[N, K]` -> logits `[N, K, V]` and the state. Where
        words are copied, these are log-probabilities `[N, K, V + X]`, with the X words that only sources have."""
        shape = tokens.shape
        if state.copied is not None:
            tokens = tokens.masked_fill(tokens >= self.vocab_size, self.unknown)
        hidden, state, weights, gates = self._read(tokens.reshape(1, -1), state)
        scores = self.output(hidden[0])
        if state.copied is not None and weights is not None and gates is not None:
            places = state.copied.repeat_interleave(len(scores) // len(state.copied), 0)
            scores = mixed(scores, gates[0], weights[0], places).log()
        return scores.unflatten(0, shape), state

    def _read_by_steps(
        self, inputs: Tensor, state: DecoderState, sampling: float | Tensor
    ) -> tuple[Tensor, DecoderState, Tensor | None, Tensor | None]:
        layers = [layer for layer in (self.first, self.above) if layer is not None]
        held = {
            "weight_drop": any(layer.weight_drop for layer in layers),
            "locked_dropout": any(layer.locked_dropout and layer.dropout and layer.num_layers > 1 for layer in layers),
        }
        if self.training and any(held.values()):
            raise ConfigError(
                f"{next(name for name, holds in held.items() if holds)}: with input feeding, scheduled sampling or "
                "coverage it would be drawn anew at each step"
            )
        outputs, weights, gates = [], [], []
        replaced = torch.rand(inputs.shape, device=inputs.device) < sampling
        tokens, (steps, rows) = inputs[0], inputs.shape
        # of the whole sequence: the same units are dropped at every step
        noise = [None if layer is None else layer.draw_noise(rows, steps) for layer in (self.first, self.above)]
        for t in range(steps):
            now = [drawn and [each.steps(t, t + 1) for each in drawn] for drawn in noise]
            hidden, state, seen, gate = self._read(tokens.unsqueeze(0), state, noise=now)
            outputs.append(hidden)
            weights.append(seen)
            gates.append(gate)
            if t + 1 < steps:
                tokens = inputs[t + 1]
                if bool(replaced[t + 1].any()):
                    with torch.no_grad():
                        drawn = torch.multinomial(self.output(hidden[0]).softmax(-1), 1).squeeze(1)
                    tokens = torch.where(replaced[t + 1], drawn, tokens)
        seen_all = None if self.attention is None else torch.cat([w for w in weights if w is not None])
        gates_all = None if self.generates is None else torch.cat([gate for gate in gates if gate is not None])
        return torch.cat(outputs), state, seen_all, gates_all

    def _read(
        self, inputs: Tensor, state: DecoderState, lengths: Tensor | None = None, noise: Sequence[Any] = (None, None)
    ) -> tuple[Tensor, DecoderState, Tensor | None, Tensor | None]:
        """Run over inputs `[T, rows]`: what the output layer reads, the state, the weights of attention, the gates."""
        steps = inputs.shape[0]
        peek = [] if state.peek is None else [state.peek.expand(steps, -1, -1)]
        fed = [] if state.fed is None else [state.fed.unsqueeze(0)]
        embedded = self.dropout(self.embedding(inputs))
        h, first = self.first(_joined(embedded, *peek, *fed), state.first, lengths, noise=noise[0])
        above, weights, gates, covered, seen = state.above, None, None, state.covered, []
        if self.attention is not None and state.memory is not None:
            context, weights = self._attend(h, state.memory, covered)
            seen = [context]
            covered = None if covered is None else covered + weights[0]
            if self.generates is not None:
                gates = self.generates(torch.cat([context, h, embedded], dim=-1)).squeeze(-1)
        if self.above is not None:
            h, above = self.above(self.dropout(_joined(h, *seen)), above, lengths, noise=noise[1])
        read = _joined(h, *seen, *peek)
        if self.readout is not None:
            read = torch.tanh(self.readout(read))
        fed_on = read[-1] if self.input_feeding else None
        after = DecoderState(first, above, state.peek, fed_on, state.memory, state.copied, covered)
        return self.dropout(read), after, weights, gates

    def _attend(self, h: Tensor, memory: Memory, covered: Tensor | None) -> tuple[Tensor, Tensor]:
        """As `Attention`, for h `[T, N*K, O]`: the K hypotheses of a sequence are queries to one memory."""
        assert self.attention is not None
        (steps, rows, _), sequences = h.shape, memory.keys.shape[0]
        width = rows // max(sequences, 1)
        if covered is not None:  # of one step: [N*K, S] -> [N, K, S]
            covered = covered.reshape(sequences, width, -1)
        if rows == sequences:
            return cast("tuple[Tensor, Tensor]", self.attention(h, memory, covered))
        h = h.reshape(steps, sequences, width, -1).transpose(1, 2).flatten(0, 1)  # [T*K, N, O]
        shape = (steps, width, sequences, -1)
        context, weights = (
            found.reshape(shape).transpose(1, 2).flatten(1, 2) for found in self.attention(h, memory, covered)
        )
        return context, weights


def _joined(*parts: Tensor) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
