"""The grid engine for the length of a block leaves a user's device as it was."""

import numpy as np
import pytest
from brian2 import Network, NetworkOperation, NeuronGroup, ms, prefs, set_device
from brian2.devices.device import get_device, reset_device

import bionet.spiking  # noqa: F401
from bionet.spiking.on_grid import on_grid


def noise(seconds=0.01):
    group = NeuronGroup(3, "dv/dt = xi/sqrt(10*ms) : 1", method="euler")
    Network(group).run(seconds * 1000 * ms)
    return group.v[:].tobytes()


@pytest.mark.parametrize("options", [{"seed": 4}, {"seed": 4, "rng": "numpy"}])
def test_a_users_device_goes_on_as_if_nothing_had_been(options):
    set_device("bionet", **options)
    expected = [noise(), noise()]
    set_device("bionet", **options)
    found = [noise()]
    device = get_device()
    with on_grid():
        assert get_device().rng == "bionet"
        noise()
    assert get_device() is device
    assert device.rng == options.get("rng", "bionet")
    found.append(noise())
    assert found == expected
    assert expected[0] != expected[1]
    reset_device()
    reset_device()


def test_what_is_within_draws_the_same_numbers_each_time():
    found = []
    for _ in range(2):
        with on_grid():
            found.append(noise())
    assert found[0] == found[1]


def test_brian2s_own_settings_come_back_after_an_error():
    device, target = get_device(), prefs.codegen.target
    with pytest.raises(ZeroDivisionError), on_grid():
        raise ZeroDivisionError
    assert get_device() is device
    assert prefs.codegen.target == target


def test_nothing_is_said_of_python_code(capfd):
    with on_grid():
        group = NeuronGroup(1, "v : 1")

        def raise_it():
            group.v += 1

        Network(group, NetworkOperation(raise_it, dt=1 * ms)).run(3 * ms)
    np.testing.assert_array_equal(group.v[:], 3)
    assert capfd.readouterr() == ("", "")
