import pytest
import torch

from napari_s2clip.models.device import (
    available_devices,
    choose_device,
    describe_device,
)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [
        (2, True, ("cuda", "cuda:1", "mps", "cpu")),
        (0, True, ("mps", "cpu")),
        (0, False, ("cpu",)),
    ],
)
def test_auto_is_cuda_then_mps_then_cpu(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert available_devices() == expected
    assert choose_device("auto") == torch.device(expected[0])


@pytest.mark.parametrize("name", ["cuda:97", "tpu", ""])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(ValueError, match=r"device: .* is not available here"):
        choose_device(name)


def test_the_cpu_is_described():
    assert describe_device("cpu").startswith("CPU, ")
