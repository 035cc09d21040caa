import pytest
import torch


@pytest.fixture(autouse=True)
def same_numbers(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
