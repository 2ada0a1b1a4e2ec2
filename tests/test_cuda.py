"""The pipeline on CUDA: results against the CPU, memory that does not suffice."""

import logging

import numpy as np
import pytest
import torch

from napari_s2clip import S2CLIP, Settings
from napari_s2clip.features import encode as encode_module
from napari_s2clip.features.methods import METHODS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (90, 140, 3), np.uint8)


def load(device, precision):
    return S2CLIP.load("demo", device=device, precision=precision)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_what_the_cpu_gives(image, name):
    settings = Settings(method=name, refine=False)
    found, expected = (
        load(device, "fp32").encode(image, settings=settings)
        for device in ("cuda", "cpu")
    )
    cosines = (found.dense.cpu() * expected.dense).sum(-1)
    assert cosines.min() > 0.999


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_is_close(image, precision):
    found, expected = (
        load(*where).encode(image, settings=Settings(refine=False)).dense.cpu()
        for where in (("cuda", precision), ("cpu", "fp32"))
    )
    assert (found * expected).sum(-1).median() > 0.99


def test_windows_are_halved_when_the_memory_is_full(monkeypatch, caplog):
    model = S2CLIP.load("vit-b-16", device="cuda", weights="random", precision="fp32")
    image = np.random.default_rng(0).integers(0, 256, (448, 640, 3), np.uint8)
    settings = Settings(refine=False)
    expected = model.encode(image, settings=settings).dense
    monkeypatch.setattr(encode_module, "windows_at_once", lambda *_: 64)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    room = torch.cuda.memory_allocated() + (1 << 30)
    torch.cuda.set_per_process_memory_fraction(min(1.0, room / total))
    try:
        with caplog.at_level(logging.WARNING):
            found = model.encode(image, settings=settings).dense
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "memory ran out" in caplog.text
    assert torch.allclose(found, expected, atol=1e-4)
