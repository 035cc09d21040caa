"""Modules that programs which rewrite models take as one piece, as they take torch.nn's."""

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

from torch.compiler import is_compiling
from torch.fx import Proxy, Tracer


def leaf(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Of a module's `forward`: traced by `torch.fx`, the module is one node of the graph.

    torch.fx knows torch.nn's modules by where they are written, and would look into any other.
    """

    @wraps(forward)
    def whole(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_compiling():
            for value in (*args, *kwargs.values()):
                if isinstance(value, Proxy) and isinstance(value.tracer, Tracer):
                    path = value.tracer.path_of_module(self)
                    return value.tracer.create_proxy("call_module", path, args, kwargs)
        return forward(self, *args, **kwargs)

    return whole


class Quantization:
    """The attribute `qconfig` of a module that torch's quantisation has no form of: it says so when it is set.

    `torch.ao.quantization.quantize_dynamic` and `prepare` set it on every module of a model, and pass by those that
    they do not know.
    """

    def __get__(self, module: Any, kind: type | None = None) -> Any:
        """As any attribute: there once it was set."""
        if module is None or "_qconfig" not in module.__dict__:
            raise AttributeError("qconfig")
        return module.__dict__["_qconfig"]

    def __set__(self, module: Any, qconfig: Any) -> None:
        """Keep it, and say what will not happen."""
        module.__dict__["_qconfig"] = qconfig
        name = type(module).__name__
        warnings.warn(
            f"{name} stays as it is, in {next(module.parameters()).dtype}: torch's quantisation knows torch.nn's "
            "layers only. Where torch.nn has this layer, make it and give it this one's state_dict before quantising",
            stacklevel=2,
        )

    def __delete__(self, module: Any) -> None:
        """As any attribute."""
        del module.__dict__["_qconfig"]
