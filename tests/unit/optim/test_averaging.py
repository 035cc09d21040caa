import numpy as np
import pytest
import torch

from ostinato.optim import PowerAverage, TriggeredAverage, make_average


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


def test_triggered_it_is_torchs_asgd():
    """Its average from the trigger on, t0 = -1 so that the first step after it counts as any other."""
    draw = torch.Generator().manual_seed(1)
    one, two = (torch.nn.Parameter(torch.ones(4, dtype=torch.float64)) for _ in range(2))
    sgd, average = torch.optim.SGD([one], lr=0.1), TriggeredAverage([one], 1)
    asgd = torch.optim.ASGD([two], lr=0.1, lambd=0.0, t0=-1)
    for step in range(1, 91):
        gradient = torch.randn(4, generator=draw, dtype=torch.float64)
        one.grad, two.grad = gradient.clone(), gradient.clone()
        sgd.step()
        average.update(step)
        if step > 30:
            asgd.step()
        else:
            two.data.copy_(one.data)
        if step % 10 == 0:
            average.validated({10: 5.0, 20: 3.0}.get(step, 9.0), step)
    assert average.began == 30
    assert torch.allclose(average.mean.average[0], asgd.state[two]["ax"], rtol=1e-12)
    with average.in_place():
        assert torch.equal(one, average.mean.average[0])


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_the_trigger_is_algorithm_1(n):
    """Written out: after the t-th validation, t > n and v > min of logs 0 to t - n - 1."""
    draw = np.random.default_rng(n)
    for _ in range(50):
        average, logs, expected = TriggeredAverage([torch.zeros(1)], n), [], -1
        for t, v in enumerate(draw.normal(size=20) - 0.1 * np.arange(20)):
            if expected < 0 and t > n and any(v > logs[index] for index in range(t - n)):
                expected = 10 * t
            logs.append(v)
            average.validated(float(v), 10 * t)
        assert average.began == expected


def test_before_the_trigger_the_weights_are_their_own():
    weights = torch.nn.Parameter(torch.ones(3))
    average = TriggeredAverage([weights], 1)
    average.update(1)
    average.validated(2.0, 1)
    with average.in_place():
        assert torch.equal(weights, torch.ones(3))
    average.validated(1.0, 2)
    other = TriggeredAverage([weights], 1)
    other.load_state_dict(average.state_dict())
    for one in (average, other):
        one.validated(1.5, 3)  # worse than the last, better than all but the last
        assert one.mean is None
        one.validated(1.1, 4)
        assert one.began == 4
    third = TriggeredAverage([weights], 1)
    third.load_state_dict(average.state_dict())
    assert (third.began, third.validations) == (4, [2.0, 1.0, 1.5, 1.1])
    assert torch.equal(third.mean.average[0], average.mean.average[0])


def test_what_the_options_say():
    weights = [torch.zeros(1)]
    assert make_average(weights) is None
    assert make_average(weights, 0.2).share == 0.2
    assert (make_average(weights, after=3).after, make_average(weights, after=3).share) == (3, 1.0)
    assert make_average(weights, 0.2, 3).share == 0.2
