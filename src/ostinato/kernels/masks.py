"""Masks of dropout by the native library, in all threads."""

import torch
from torch import Tensor

from ostinato.native import library as native_library


def fill_mask(mask: Tensor, rate: float) -> bool:
    """Fill a tensor with 0 for about a share `rate` of its elements, with 1/(1 - rate) for the others; False, and
    nothing, where the library cannot.

    Torch's generator gives the seed. The mask is then the same by any number of threads and instruction set.

    Args:
        mask: of any content.
        rate: the share, below 1 - 2^-33.
    """
    library = native_library.load() if _takes(mask) else ""
    if isinstance(library, str):
        return False
    seed = int(torch.empty((), dtype=torch.int64, device="cpu").random_(-(1 << 63), None))
    dropped = min(round(rate * 2**32), 2**32 - 1)
    library.fill_mask(mask.data_ptr(), mask.numel(), seed, dropped, 1 / (1 - rate), torch.get_num_threads())
    return True


def _takes(mask: Tensor) -> bool:
    return type(mask) is Tensor and mask.is_cpu and mask.dtype == torch.float32 and mask.is_contiguous()
