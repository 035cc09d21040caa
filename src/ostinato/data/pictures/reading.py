"""Pictures as bytes, by Pillow, without torch."""

import os.path
import warnings
from os import PathLike

import numpy as np
import numpy.typing as npt

from ostinato.core.errors import ConfigError

#: What pictures are read as, by their content. Pillow knows others that start programs (EPS) or are not meant for this.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")


def require_pillow() -> None:
    """That Pillow is there.

    Raises:
        ConfigError: it is not.
    """
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise ConfigError("pictures are read by Pillow: pip install 'ostinato[pictures]'") from None


def read_picture(path: str | PathLike[str], size: int) -> npt.NDArray[np.uint8] | None:
    """A picture brought to one height and width, `[3, size, size]` bytes; None of a file that is missing, damaged or no
    picture.

    Raises:
        ConfigError: Pillow is not installed.
    """
    require_pillow()
    from PIL import Image

    try:
        if not os.path.isfile(path):  # a pipe would never end
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as picture:
                small = picture.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    except Exception:  # whatever a decoder raises: the picture is damaged
        return None
    return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))
