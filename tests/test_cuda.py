"""The pipeline on CUDA: results against the CPU, memory that does not suffice."""

import logging

import numpy as np
import pytest
import torch

from napari_s2clip import S2CLIP, Settings
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.features import encode as encode_module
from napari_s2clip.features.methods import METHODS
from napari_s2clip.models import sam as sam_module
from napari_s2clip.regions import find_regions, half_resolution

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


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_image_embedding_is_that_of_the_cpu(image, precision):
    found, expected = (
        load(*where).models.sam.encode(image).features.cpu()
        for where in (("cuda", precision), ("cpu", "fp32"))
    )
    least = 0.9999 if precision == "fp32" else 0.98
    assert torch.cosine_similarity(found, expected, dim=1).min() > least


def test_regions_of_maps_on_the_gpu():
    rng = np.random.default_rng(0)
    p = np.repeat(np.repeat(rng.random((6, 9, 11), np.float32) / 6, 20, 1), 20, 2)
    labels = (p.argmax(0) + 1).astype(np.int64)
    small = half_resolution(torch.from_numpy(labels).cuda(), torch.from_numpy(p).cuda())
    assert all(part.is_cuda for part in small)
    found = find_regions(*small, threshold=0.05, min_area=9, background=True)
    arrays = small[0].cpu().numpy(), small[1].cpu().numpy()
    expected = find_regions(*arrays, threshold=0.05, min_area=9, background=True)
    assert len(expected) > 9
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)


def test_a_compiled_encoder_gives_the_same(image):
    eager, compiled = (
        S2CLIP.load("demo", device="cuda", precision="fp32", compiled=c)
        for c in (False, True)
    )
    found, expected = (m.models.sam.encode(image).features for m in (compiled, eager))
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("mode", ["fixed", "trident"])
def test_refinement_is_that_of_the_cpu(mode):
    scene = draw_scene(160, np.random.default_rng(0))
    settings = Settings(refine_mode=mode)
    found, expected = (
        load(device, "fp32").segment(scene.image, scene.names, settings=settings)
        for device in ("cuda", "cpu")
    )
    assert (found.refined == expected.refined).mean() > 0.995
    np.testing.assert_allclose(
        found.region_table["sam_score"], expected.region_table["sam_score"], atol=1e-2
    )


@pytest.mark.parametrize("room", [300 << 20, 0], ids=["halved", "on the CPU"])
def test_prompts_that_do_not_fit(monkeypatch, caplog, room):
    model = S2CLIP.load("vit-b-16", device="cuda", weights="random", precision="fp16")
    sam = model.models.sam
    embedding = sam.encode(np.zeros((200, 300, 3), np.uint8))
    boxes = np.random.default_rng(0).uniform(0, 100, (64, 4))
    boxes[:, 2:] += 100
    expected, scores = (t.cpu() for t in sam.decode(embedding, boxes=boxes))
    monkeypatch.setattr(sam_module, "free_memory", lambda device: 1 << 40)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    allowed = torch.cuda.memory_allocated() + room
    torch.cuda.set_per_process_memory_fraction(min(1.0, allowed / total))
    try:
        with caplog.at_level(logging.WARNING):
            found, iou = sam.decode(embedding, boxes=boxes)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "memory ran out" in caplog.text
    assert ("SAM decodes on the CPU" in caplog.text) == (room == 0)
    torch.testing.assert_close(found.cpu(), expected, atol=1e-2, rtol=1e-2)
    torch.testing.assert_close(iou.cpu(), scores, atol=1e-2, rtol=1e-2)
