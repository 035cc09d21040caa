import numpy as np
import pytest
import torch

from ostinato.optim import PowerAverage


def walk(steps, share):
    """An average that saw a random walk, and the walk."""
    draw = np.random.default_rng(0)
    path = np.cumsum(draw.normal(size=(steps, 3)), axis=0)
    weights = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    average = PowerAverage([weights], share)
    for step, values in enumerate(path, 1):
        with torch.no_grad():
            weights.copy_(torch.from_numpy(values))
        average.update(step)
    return average, weights, path


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_weights_count_by_a_power_of_their_step(share):
    """Against the sum that the docstring names, written out; 2,000 steps, so that the first few hardly count."""
    average, _, path = walk(2000, share)
    counts = np.arange(1, 2001) ** (1 / share - 1)
    expected = counts @ path / counts.sum()
    assert np.allclose(average.average[0], expected, atol=0.02 * path.std())


def test_few_steps_are_averaged_one_by_one():
    """As long as a hundredth of the span is less than a step, the recurrence holds to the last digit."""
    average, _, path = walk(60, 0.5)
    expected = np.zeros(3)
    for step, values in enumerate(path, 1):
        expected += min(1.0, 1 / (0.5 * step)) * (values - expected)
    assert np.allclose(average.average[0], expected, rtol=1e-12)


def test_in_place_and_back():
    average, weights, path = walk(50, 0.5)
    with average.in_place():
        assert torch.equal(weights, average.average[0])
        assert not torch.equal(weights, torch.from_numpy(path[-1]))
    assert torch.equal(weights, torch.from_numpy(path[-1]))
    with pytest.raises(ZeroDivisionError), average.in_place():
        raise ZeroDivisionError
    assert torch.equal(weights, torch.from_numpy(path[-1]))


def test_goes_on_from_what_was_saved():
    average, _, _ = walk(500, 0.5)
    other = PowerAverage([torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))], 0.5)
    other.load_state_dict({name: field.clone() for name, field in average.state_dict().items()})
    assert other.taken == average.taken
    assert torch.equal(other.average[0], average.average[0])
