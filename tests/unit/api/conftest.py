import warnings

import pytest


@pytest.fixture(autouse=True)
def isolated(tmp_path, monkeypatch):
    """An empty cache, an empty folder, and warnings shown as before afterwards."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
