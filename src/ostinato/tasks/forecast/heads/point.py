"""A number alone."""

from torch import Tensor
from torch.nn import functional as F

from ostinato.core.errors import ConfigError

SIZE, CERTAIN = 0, True


def parameters_of(location: Tensor, raw: Tensor) -> Tensor:
    """None."""
    return raw


def loss(location: Tensor, parameters: Tensor, targets: Tensor) -> Tensor:
    """The absolute error, least at the median, smooth (half the square) within a hundredth of the scale."""
    return F.smooth_l1_loss(location, targets, reduction="none", beta=0.01)


def quantile(location: Tensor, parameters: Tensor, share: float | Tensor) -> Tensor:
    """Refused."""
    raise ConfigError("a point forecast has no quantiles; train with --head quantile, or another that has some")


def sample(location: Tensor, parameters: Tensor) -> Tensor:
    """The forecast itself."""
    return location
