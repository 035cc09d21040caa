"""Every private name of PyTorch that this package uses: they come and go without notice, so each has another way.

Each function says what it stands for, which public name is lacking, and what it does where a torch has the private name
no more: the numbers stay right, and a call takes longer or says less.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

#: What a name raises that is gone, or that takes other arguments now.
GONE = (AttributeError, TypeError, ImportError)

Tensors = list[Tensor] | tuple[Tensor, ...]
_F = TypeVar("_F", bound=Callable[..., Any])


def is_transformed() -> bool:
    """Whether torch.func (vmap, grad, jvp) or forward-mode differentiation is at work.

    Torch says so publicly in its errors only, which are the other way: without `setup_context` a function is refused
    in a transform. Of what is being compiled or traced the answer is then yes.
    """
    try:
        functorch = (
            torch._C._functorch
        )  # torch.compile takes its None for an object, which alone it can tell from a class
        transformed = isinstance(functorch.peek_interpreter_stack(), functorch.CInterpreter)
    except GONE:
        transformed = torch.compiler.is_compiling() or is_traced() or _is_refused()
    return transformed or (not torch.compiler.is_compiling() and _in_forward_mode())


def is_traced() -> bool:
    """Whether torch.jit.trace is at work: a public name without types, of a part of torch that is on its way out."""
    try:
        return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]
    except GONE:
        return False


def _is_refused() -> bool:
    try:
        _WithoutContext.apply(None)  # type: ignore[no-untyped-call]
    except RuntimeError:
        return True
    return False


class _WithoutContext(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> None:
        return None


def _in_forward_mode() -> bool:
    """Whether `torch.autograd.forward_ad.dual_level` is open; the other way is to make a dual tensor."""
    try:
        return torch.autograd.forward_ad._current_level >= 0
    except GONE:
        pass
    try:
        torch.autograd.forward_ad.make_dual(torch.zeros(()), torch.zeros(()))  # type: ignore[no-untyped-call]
    except RuntimeError:
        return False
    return True


def is_batched(gradients: Iterable[Tensor | None]) -> bool:
    """Whether gradients stand for many at once (`is_grads_batched`, or `torch.autograd.grad` within vmap): no memory
    of their own lies behind such a tensor. No public function tells; without one every gradient counts as such."""
    try:
        functorch = torch._C._functorch
        return any(
            gradient is not None
            and (functorch.is_batchedtensor(gradient) or functorch.is_legacy_batchedtensor(gradient))
            for gradient in gradients
        )
    except GONE:
        return True


def is_watched() -> bool:
    """Whether a mode (`TorchDispatchMode`, `TorchFunctionMode`) or the profiler sees the operators that are called.

    No public function tells; without one somebody always might.
    """
    try:
        return bool(
            torch._C._len_torch_dispatch_stack()
            or torch._C._len_torch_function_stack()
            or torch._C._autograd._profiler_enabled()
        )
    except GONE:
        return True


def is_recorded_elsewhere() -> bool:
    """Whether a `TorchDispatchMode` sees the operators, or somebody else keeps what backward needs
    (`torch.autograd.graph.saved_tensors_hooks`, by which `torch.utils.checkpoint` works).

    No public function tells; without one somebody always might.
    """
    try:
        hooks: Any = torch._C._autograd._top_saved_tensors_default_hooks(False)
        return hooks is not None or bool(torch._C._len_torch_dispatch_stack())
    except GONE:
        return True


def below_autograd(operator: Callable[..., Any], arguments: Sequence[Any], instead: Callable[..., Any]) -> Any:
    """Call an operator from an autograd kernel, past autograd's own dispatch. The public `redispatch` asks for a set
    of keys that is private.

    Args:
        operator: what to call.
        arguments: with these.
        instead: called with gradients off where there is no such way; gives the same results, by operators without an
            autograd kernel.
    """
    try:
        guard = torch._C._AutoDispatchBelowAutograd()
    except GONE:
        with torch.no_grad():
            return instead(*arguments)
    with guard:
        return operator(*arguments)


def unchecked_saved_tensors(ctx: Any) -> Sequence[Any] | None:
    """What `save_for_backward` was given, each to be unpacked by itself: one of them may have been changed in place,
    which the public `ctx.saved_tensors` refuses for all. None where that alone is left."""
    try:
        found: Sequence[Any] = ctx._raw_saved_tensors
    except GONE:
        return None
    return found


def holders(gradient: Tensor) -> tuple[int, int, int] | None:
    """How many hold a gradient: variables of Python; graphs and buffers of torch; tensors and arrays, its memory.

    Torch's own rule for keeping a gradient as `.grad` asks the second alone, for which all of Python is one. Python's
    is the only public count; where the others are lacking, nobody knows: None.
    """
    try:
        memory = gradient.untyped_storage()._cdata
        return sys.getrefcount(gradient), gradient._use_count(), torch._C._storage_Use_Count(memory)  # type: ignore[attr-defined]
    except GONE:
        return None


def is_view(tensor: Tensor) -> bool:
    """Whether a tensor is a view of another for autograd. No public function tells; without one it might be."""
    try:
        return tensor._base is not None
    except GONE:
        return True


def version(tensor: Tensor) -> object:
    """What changes when a tensor is written to. Without torch's private count of that, nothing equals what it was."""
    try:
        return tensor._version
    except GONE:
        return object()


def own_parameters(module: Any) -> dict[str, Any]:
    """A module's parameters, those of its parts aside, by name; publicly through a slower iterator."""
    try:
        found: dict[str, Any] = module._parameters
    except GONE:
        found = dict(module.named_parameters(recurse=False, remove_duplicate=False))
    return found


def constant_when_compiled(function: _F) -> _F:
    """Have torch.compile call a function once and take the answer for a constant, without looking into it.

    It is `torch.compiler.assume_constant_result`, which imports the compiler: seconds, also for whoever compiles
    nothing. Where another mark is asked for, torch.compile looks into the function, or breaks its graph there.
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


def check_when_run(condition: Tensor, message: str) -> None:
    """In a program that is captured: refuse to go on where a condition does not hold. Publicly nothing is checked in
    there, and no more is without."""
    try:
        torch._assert_async(condition, message)
    except GONE:
        return


def scan_operator() -> Callable[..., Any] | None:
    """What torch.export records a loop over time by: called with a step's function, states, sequences, and
    `additional_inputs` that every step reads. Publicly there is none; without it a loop is written out."""
    try:
        from torch._higher_order_ops.scan import scan_op
    except GONE:
        return None
    operator: Callable[..., Any] = scan_op
    return operator


def register_namedtuple(kind: type[Any], name: str) -> None:
    """Let `torch.export.save` write a NamedTuple by a name. The public `register_dataclass` takes dataclasses alone;
    without a way such programs run, and cannot be saved."""
    try:
        from torch.utils import _pytree

        if kind not in _pytree.SUPPORTED_SERIALIZED_TYPES:
            _pytree._register_namedtuple(kind, serialized_type_name=name)
    except GONE:
        return


def multiply_all_(tensors: Tensors, factor: float) -> None:
    """`tensor.mul_(factor)` for each, in one pass where torch has it."""
    try:
        torch._foreach_mul_(tensors, factor)
    except GONE:
        for tensor in tensors:
            tensor.mul_(factor)


def add_all_(tensors: Tensors, others: Tensors, factor: float) -> None:
    """`tensor.add_(other, alpha=factor)` for each, in one pass where torch has it."""
    try:
        torch._foreach_add_(tensors, others, alpha=factor)
    except GONE:
        for tensor, other in zip(tensors, others, strict=True):
            tensor.add_(other, alpha=factor)


def interpolate_all_(tensors: Tensors, ends: Tensors, weight: float) -> None:
    """`tensor.lerp_(end, weight)` for each, in one pass where torch has it."""
    try:
        torch._foreach_lerp_(tensors, ends, weight)
    except GONE:
        for tensor, end in zip(tensors, ends, strict=True):
            tensor.lerp_(end, weight)


def copy_all_(tensors: Tensors, others: Tensors) -> None:
    """`tensor.copy_(other)` for each, in one pass where torch has it."""
    try:
        torch._foreach_copy_(tensors, others)
    except GONE:
        for tensor, other in zip(tensors, others, strict=True):
            tensor.copy_(other)


def dispatch_mode() -> Any:
    """The base class of what sees every operation. Publicly torch shows its functions alone; `object`, where it is
    lacking: nothing is seen."""
    try:
        from torch.utils._python_dispatch import TorchDispatchMode
    except GONE:
        return object
    return TorchDispatchMode


def memory_of(tensor: Tensor) -> int:
    """What is the same for tensors that share memory, also where there is none: public are addresses, which on the
    meta device are all 0, as if all shared it."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except GONE:
        return tensor.untyped_storage().data_ptr()
