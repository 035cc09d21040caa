"""A language model that learns from a text, or remembers it, while it reads it."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError
from ostinato.core.kept_state import KeptState
from ostinato.core.torch_private import add_all_, interpolate_all_
from ostinato.tasks.lm.options import AdaptingOptions


def adapting_loss(
    model: nn.Module, pieces: Iterable[Batch], options: AdaptingOptions, progress: Callable[[int], None] | None = None
) -> float:
    """Mean loss in nats a token, as `mean_loss`, of a model that adapts to the text behind it; its own weights stay.
    Dynamic evaluation takes a step after each piece.

    Raises:
        ConfigError: what the model does with the text has led to a loss that is not finite.
    """
    total, tokens = 0.0, 0
    for losses in token_losses(model, pieces, options):
        total, tokens = total + losses.sum(dtype=torch.float64).item(), tokens + len(losses)
        if not math.isfinite(total):
            where = f"the loss is no longer finite after {tokens:,} tokens"
            if options.dynamic:
                raise ConfigError(f"--dynamic {options.dynamic}: {where}; give a lower rate")
            raise ConfigError(f"--cache-theta {options.cache_theta}: {where}; give a smaller one, or leave --cache out")
        if progress is not None:
            progress(tokens)
    return total / tokens


def token_losses(model: nn.Module, pieces: Iterable[Batch], options: AdaptingOptions) -> Iterator[Tensor]:
    """-log p of each token of each piece, `[T]`, in nats."""
    dynamic = Dynamic(model, options.dynamic, options.dynamic_decay) if options.dynamic else None
    cache = NeuralCache(options.cache, options.cache_theta, options.cache_lambda) if options.cache else None
    kept = KeptState()
    for batch in pieces:
        with torch.set_grad_enabled(dynamic is not None):
            output = (model if dynamic is None else dynamic.model)(batch.inputs, kept.state)
            targets = batch.targets.flatten()
            losses = F.cross_entropy(output.logits().flatten(0, 1), targets, reduction="none")
            mean = losses.mean()
        kept.keep(output.state)
        found = losses.detach()
        yield found if cache is None else cache.mixed(found, output.hidden.detach()[:, 0], targets)
        if dynamic is not None:
            dynamic.learn(mean)


class Dynamic:
    """Dynamic evaluation (Krause et al. 2018, arXiv:1709.07432) with SGD, by a copy of the model:

        theta <- theta - eta * gradient + lambda * (theta_0 - theta)

    with eta the learning rate and lambda the decay. The paper's variant with RMS of gradients needs these from the
    training text, which a run folder has not; this is its SGD, with its decay towards the first weights.
    """

    def __init__(self, model: nn.Module, lr: float, decay: float) -> None:
        self.model, self._lr, self._decay = copy.deepcopy(model), lr, decay
        self._weights: list[Tensor] = [p for p in self.model.parameters() if p.requires_grad]
        self._first = [p.detach() for p in model.parameters() if p.requires_grad]

    def learn(self, loss: Tensor) -> None:
        """Take one step."""
        gradients = torch.autograd.grad(loss, self._weights)
        with torch.no_grad():
            if self._decay:
                interpolate_all_(self._weights, self._first, self._decay)
            add_all_(self._weights, gradients, -self._lr)


class NeuralCache:
    """The last tokens, each with the hidden state that it was predicted from (Grave et al. 2017, arXiv:1612.04426):

        p(w) = (1 - lambda) p_model(w) + lambda p_cache(w)
        p_cache(w) proportional to the sum over i in the window with x_{i+1} = w of exp(theta h_t . h_i)

    with lambda the `share`. As long as the cache is empty, p is the model's.
    """

    def __init__(self, window: int, theta: float, share: float) -> None:
        self._window, self._theta, self._share = window, theta, share
        self._hidden, self._tokens = torch.empty(0), torch.empty(0, dtype=torch.long)

    def mixed(self, losses: Tensor, hidden: Tensor, tokens: Tensor) -> Tensor:
        """-log p of the next tokens, `[T]`, from the model's own and from the states `[T, E]` they were predicted from;
        they are then remembered."""
        before, steps = len(self._tokens), len(tokens)
        self._hidden = torch.cat([self._hidden.to(hidden), hidden]) if before else hidden
        self._tokens = torch.cat([self._tokens, tokens])
        now, then = torch.arange(before, before + steps).unsqueeze(1), torch.arange(before + steps)
        seen = (then < now) & (then >= now - self._window)
        scores = (self._theta * (hidden @ self._hidden.T)).masked_fill(~seen, -torch.inf)
        likes = scores.masked_fill(self._tokens != tokens.unsqueeze(1), -torch.inf)
        cached = likes.logsumexp(1) - scores.logsumexp(1)
        mixed = -torch.logaddexp(math.log1p(-self._share) - losses, cached + math.log(self._share or 1e-300))
        self._hidden, self._tokens = self._hidden[-self._window :], self._tokens[-self._window :]
        return torch.where(seen.any(1), mixed, losses)
