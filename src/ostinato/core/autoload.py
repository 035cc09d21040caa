"""What `import torch` calls at its end (an entry point in the group `torch.backends`), and `import ostinato`."""

import warnings
from importlib import import_module


def register() -> None:
    """Declare the operators and the states to PyTorch; where that fails, `import torch` does not."""
    try:
        import_module("ostinato.native.torch_programs").register()
    except Exception as error:
        warnings.warn(f"ostinato's operators are unknown to PyTorch: {type(error).__name__}: {error}", stacklevel=2)
