"""A language model of torch.nn's classes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.interop.outgoing.plain.padded import recurrent, run_padded, zeros


class LanguageModel(nn.Module):
    """Token ids to scores of the next token."""

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        layers: dict[str, Any],
        last: dict[str, Any] | None = None,
        cutoffs: Sequence[int] = (),
        separator: int | None = None,
    ) -> None:
        super().__init__()
        self.separator = separator  # the id that documents begin with: the state starts anew before each
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.recurrent = recurrent(embed_size, **layers)
        width = layers.get("proj_size") or layers["hidden_size"]
        self.last = None
        if last is not None:
            self.last = recurrent(width, **last)
            width = last["hidden_size"]
        self.decoder: nn.Module
        if cutoffs:
            self.decoder = nn.AdaptiveLogSoftmaxWithLoss(width, vocab_size, list(cutoffs))
        else:
            self.decoder = nn.Linear(width, vocab_size)

    def forward(
        self, inputs: Tensor, lengths: Tensor, state: Sequence[tuple[Tensor, ...]] | None = None
    ) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
        """Read ids `[T, N]` of which `lengths` `[N]` are valid, from an earlier call's state.

        Returns scores of the next token at each step, `[T, N, V]`, and the state, a tuple for each stack of layers.
        """
        x, found = self.embedding(inputs), []
        stacks = [stack for stack in (self.recurrent, self.last) if stack is not None]
        for number, stack in enumerate(stacks):
            before = None if state is None else state[number]
            if self.separator is None:
                x, after = run_padded(stack, x, lengths, before)
            else:
                x, after = self._by_steps(stack, x, lengths, before, inputs == self.separator)
            found.append(after)
        if isinstance(self.decoder, nn.AdaptiveLogSoftmaxWithLoss):
            scores: Tensor = self.decoder.log_prob(x.flatten(0, 1)).view(*x.shape[:2], self.decoder.n_classes)
        else:
            scores = self.decoder(x)
        return scores, found

    def _by_steps(self, stack: Any, x: Tensor, lengths: Tensor, state: Any, anew: Tensor) -> tuple[Tensor, Any]:
        """The same, with a state of zeros before the steps where `anew` `[T, N]` is true."""
        state, outputs = zeros(stack, x.shape[1]) if state is None else state, []
        anew = anew & (torch.arange(len(x))[:, None] < lengths)
        for t in range(len(x)):
            state = tuple(field.where(~anew[t].unsqueeze(-1), 0.0) for field in state)
            output, state = run_padded(stack, x[t : t + 1], (lengths > t).long(), state)
            outputs.append(output)
        return torch.cat(outputs), state
