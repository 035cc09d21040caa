"""What computes: found by name, and where tensors come to be. No GPU is needed, and one is used where there is one."""

import numpy as np
import pytest
import torch

from ostinato.core.accelerator import available, computing_on, resolve
from ostinato.core.errors import ConfigError
from ostinato.data.batching.streams import Streams
from ostinato.losses import sequence_cross_entropy
from ostinato.tasks.lm.model import LanguageModel

META = torch.device("meta")  #: of shapes alone: whatever stays on the CPU beside it is refused
NO_GPU = not torch.cuda.is_available()


@pytest.fixture
def gpus(monkeypatch):
    """As many of NVIDIA's as one says."""

    def there(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    return there


def test_by_itself_the_best_there_is(gpus):
    gpus(0)
    assert (available(), resolve("auto")) == (["cpu"], torch.device("cpu"))
    gpus(2)
    assert available() == ["cuda", "cpu"]
    assert resolve("auto", 1) == torch.device("cuda", 1)
    assert resolve("cpu") == torch.device("cpu")


def test_what_is_not_there_is_refused(gpus):
    gpus(0)
    for name in ("cuda", "mps"):
        with pytest.raises(ConfigError, match=f"--accelerator {name}: torch .* cannot use it here: .*there is cpu"):
            resolve(name)
    gpus(2)
    with pytest.raises(ConfigError, match="expected a GPU for each process of a machine, there are 2"):
        resolve("cuda", 2)


def test_arrays_arrive_on_the_device_and_results_come_back():
    with computing_on(META):
        assert torch.as_tensor(np.ones(3)).device == META
        assert torch.zeros(2).device == META
        own = torch.ones(2, device="cpu")
        assert (own.numpy() == 1).all()
    assert torch.zeros(2).device.type == "cpu"


def loss_of(device, cell="lstm"):
    torch.manual_seed(1)
    model = LanguageModel(11, 4, 6, 2, cell=cell).to(device)
    ids = np.random.default_rng(1).integers(1, 11, 200).astype(np.uint16)
    with computing_on(device):
        batch = Streams(ids, 4, 10).piece(1)
        assert batch.inputs.device.type == batch.targets.device.type == device.type
        loss = sequence_cross_entropy(model(batch.inputs, **batch.arguments(), state=None), batch)
        loss.backward()
    assert all(parameter.grad.device.type == device.type for parameter in model.parameters())
    return loss.detach()


@pytest.mark.parametrize("cell", ["lstm", "mgu"])
def test_a_step_leaves_nothing_on_the_cpu(cell):
    """By torch's layer, and by the loop."""
    assert loss_of(META, cell).device == META


@pytest.mark.skipif(NO_GPU, reason="no GPU")
@pytest.mark.parametrize("cell", ["lstm", "mgu"])
def test_the_same_numbers_on_a_gpu(cell):
    torch.testing.assert_close(loss_of(torch.device("cuda", 0), cell).cpu(), loss_of(torch.device("cpu"), cell))
