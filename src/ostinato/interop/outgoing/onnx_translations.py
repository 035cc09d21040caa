"""Functions that ONNX has not, by those it has, exact near 0, where torch's exporter leaves few digits."""

from typing import Any

import torch


def exact() -> dict[Any, Any]:
    """Translations by torch's operators, as `custom_translation_table` of `torch.onnx.export` takes them."""
    from onnxscript import opset18

    op: Any = opset18  # its functions take numbers where their types say tensors

    def log1p_of_share(u: Any) -> Any:
        """log(1 + u) of u from 0 to 1: 2 atanh(u / (2 + u))."""
        half = op.Atanh(op.Div(u, op.Add(u, op.CastLike(2.0, u))))
        return op.Add(half, half)

    def expm1(x: Any) -> Any:
        """e^x - 1: 2 t / (1 - t) of t = tanh(x / 2)."""
        half = op.Tanh(op.Mul(x, op.CastLike(0.5, x)))
        return op.Div(op.Add(half, half), op.Sub(op.CastLike(1.0, x), half))

    def log_sigmoid(x: Any) -> Any:
        """min(x, 0) - log(1 + e^-|x|)."""
        return op.Sub(op.Min(x, op.CastLike(0.0, x)), log1p_of_share(op.Exp(op.Neg(op.Abs(x)))))

    aten = torch.ops.aten
    return {aten.expm1.default: expm1, aten.log_sigmoid.default: log_sigmoid}
