"""Products of two matrices by the native library.

Torch's come from a mathematics library that is made for one maker's processors, and reaches a half to nine tenths of
what others can do. And they add up in an order that depends on how many rows there are; here a row's bits are its own.
"""

from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.core.torch_private import is_batched, is_watched
from ostinato.kernels.native_calls import scratch
from ostinato.native import library as native_library
from ostinato.native.library import Matmul, NativeLibrary

#: Rows of a product in one call of torch's: MKL takes 1.4 times as long for 10,000 rows of a transposed factor at once.
_SLICE = 2048


@cache
def _is_faster(library: NativeLibrary, isa: str) -> bool:
    """Whether the library multiplies faster than torch: on AMD's processors it was measured to, on Intel's not."""
    return (
        torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
        and library.processor == "AuthenticAMD"
        and isa not in ("baseline", "generic")
    )


def choice() -> Literal["native", "torch"]:
    """Who multiplies the matrices of output layers in float32: "native" or "torch"."""
    library = native_library.load()
    return "native" if not isinstance(library, str) and _is_faster(library, library.isa) else "torch"


def multiply(a: Tensor, b: Tensor, into: Tensor, *, bias: Tensor | None = None, add: bool = False) -> None:
    """Into = a b + bias, or into += a b + bias, by whoever is faster.

    Args:
        a: `[M, K]`.
        b: `[K, N]`.
        into: `[M, N]`, of the factors' dtype or a wider one.
        bias: `[N]`, added to every row.
        add: to what is there.
    """
    library = native_library.load()
    if (
        not isinstance(library, str)
        and _is_faster(library, library.isa)
        and _takes(a, b, into, bias)
        and not is_watched()
    ):
        run(library, a, b, into, bias, add)
    elif a.dtype != into.dtype:
        product = torch.mm(a, b) if bias is None else torch.addmm(bias, a, b)
        into.add_(product) if add else into.copy_(product)
    elif bias is not None and not add:
        torch.addmm(bias, a, b, out=into)
    else:
        for some, own in zip(torch.split(into, _SLICE), torch.split(a, _SLICE), strict=True):
            torch.addmm(some, own, b, beta=int(add), out=some)
        if bias is not None:
            into.add_(bias)


def rows(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A linear layer's `[M, V]` of `[M, D]`, each row the same to the last bit whatever stands beside it; no gradients.

    Args:
        x: `[M, D]`.
        weight: `[V, D]`.
        bias: `[V]`, or None.
    """
    library = native_library.load()
    into = x.new_empty(len(x), len(weight))
    takes = not isinstance(library, str) and _takes(x, weight, bias)
    if isinstance(library, str) or not takes or x.stride(-1) != 1 or weight.stride(-1) != 1:
        return torch.cat([F.linear(x[row : row + 1], weight, bias) for row in range(len(x))]) if len(x) else into
    run(library, x, weight.T, into, bias, False, dots=True)
    return into


def _takes(*tensors: Tensor | None) -> bool:
    """Whether the library can: float32 on the CPU, with neighbours along one of the two axes."""
    if torch.compiler.is_compiling() or is_batched(tensors):
        return False
    return all(tensor is None or _is_plain(tensor) for tensor in tensors)


def _is_plain(tensor: Tensor) -> bool:
    if (
        type(tensor) not in (Tensor, nn.Parameter)
        or tensor.dtype != torch.float32
        or not tensor.is_cpu
        or tensor.is_neg()
    ):
        return False
    if tensor.dim() == 1:
        return tensor.stride(0) == 1
    (rows, columns), (down, right) = tensor.shape, tensor.stride()
    return (right == 1 and down >= columns) or (down == 1 and right >= rows)


def run(
    library: NativeLibrary,
    a: Tensor,
    b: Tensor,
    into: Tensor,
    bias: Tensor | None = None,
    add: bool = False,
    *,
    dots: bool = False,
) -> None:
    """As `multiply`, by the library: all float32 on the CPU, with neighbours along one of the two axes.

    Args:
        library: one that has products.
        a: `[M, K]`.
        b: `[K, N]`.
        into: `[M, N]`, its rows dense.
        bias: `[N]`.
        add: to what is there.
        dots: the form for few rows, where rows of `a` and columns of `b` are dense.
    """
    given = Matmul(isa=library.isas[library.isa], threads=torch.get_num_threads(), add=add, dots=dots)
    (given.M, given.K), given.N = a.shape, b.shape[1]
    if not given.M or not given.N:
        return
    given.transposed_a, given.a_stride = _lies(a)
    given.transposed_b, given.b_stride = (1, b.stride(1)) if dots else _lies(b)
    given.c_stride = into.stride(0)
    given.a, given.b, given.c = a.data_ptr(), b.data_ptr(), into.data_ptr()
    if bias is not None:
        given.bias = bias.data_ptr()
    workspace = scratch(library.matmul_workspace_size(given))
    given.workspace = workspace.data_ptr()
    library.multiply(given)


def _lies(factor: Tensor) -> tuple[int, int]:
    """Whether it lies transposed in memory, and floats from one row there to the next."""
    down, right = factor.stride()
    return (0, max(down, factor.shape[1])) if right == 1 else (1, max(right, factor.shape[0]))
