"""`ostinato inspect`: from a run to arrays, from arrays to pictures, pages and numbers in a folder."""

from ostinato.api.inspecting.views import inspect

__all__ = ["inspect"]
