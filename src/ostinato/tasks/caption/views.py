"""What a captioner sees: pictures, or features of them."""

from typing import Any

from ostinato.data.pictures.views import Features, Pictures


def views_of(images: str | None, features: str | None, picture_size: int) -> Any:
    """Of a folder of pictures, each brought to a size, or of a file of features."""
    return Features(features) if features is not None else Pictures(str(images), picture_size)
