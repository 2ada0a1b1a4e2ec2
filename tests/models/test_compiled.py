import logging
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from napari_s2clip.demo.architectures import build_sam
from napari_s2clip.models.compiled import Compiled
from napari_s2clip.models.sam import SamModel

COMPILER = shutil.which("g++") or shutil.which("clang++")


def small_sam():
    """The demo's, with an encoder that is quickly compiled."""
    from segment_anything.modeling import ImageEncoderViT

    torch.manual_seed(0)
    sam = build_sam()
    sam.image_encoder = ImageEncoderViT(
        img_size=64,
        patch_size=16,
        embed_dim=16,
        depth=2,
        num_heads=2,
        out_chans=8,
        use_rel_pos=True,
        window_size=2,
        global_attn_indexes=(1,),
    )
    return sam.eval()


@pytest.mark.skipif(COMPILER is None, reason="needs a C++ compiler")
def test_a_compiled_encoder_gives_the_same(caplog):
    # In bf16, whose conversions are hooks that a compiler may stumble over.
    dtype = torch.bfloat16
    image = np.random.default_rng(0).integers(0, 256, (40, 57, 3), np.uint8)
    cpu = torch.device("cpu")
    expected = SamModel(small_sam(), cpu, dtype).encode(image)
    with caplog.at_level(logging.INFO, "napari_s2clip"):
        model = SamModel(small_sam(), cpu, dtype, compiled=True)
        assert "compil" not in caplog.text
        found = [model.encode(image).features for _ in range(2)]
    assert caplog.text.count("compiled in") == 1
    atol = 0.05
    for features in found:
        torch.testing.assert_close(features, expected.features, atol=atol, rtol=0)
    # What the last block attends to is kept by a hook, which compiling would drop.
    with_attention, attention = model.encode_with_attention(image)
    torch.testing.assert_close(
        with_attention.features, expected.features, atol=atol, rtol=0
    )
    assert attention is not None


def test_that_the_attention_is_never_compiled_is_said_once(caplog):
    image = np.zeros((20, 30, 3), np.uint8)
    for compiled in (False, True):
        model = SamModel(build_sam(), torch.device("cpu"), compiled=compiled)
        assert model.compiled == compiled
        for _ in range(2):
            model.encode_with_attention(image)
        assert caplog.text.count("compiled has no effect here") == compiled


def test_batches_of_any_size_are_compiled_once(monkeypatch):
    seen = []

    def compile_none(module, **_):
        return lambda x: seen.append(len(x)) or module(x)

    monkeypatch.setattr(torch, "compile", compile_none)
    run = Compiled(nn.Linear(3, 2).requires_grad_(False))
    for count in (1, 4, 3):
        x = torch.rand(count, 3)
        torch.testing.assert_close(run(x), run._module(x))
    assert set(seen) == {1}


def failing(message, kind=Exception):
    def run(x):
        raise kind(message)

    return lambda module, **_: run


def test_that_it_cannot_be_compiled_is_one_line(monkeypatch):
    monkeypatch.setattr(torch, "compile", failing("no g++ was found\nTraceback …"))
    run = Compiled(nn.Identity())
    with pytest.raises(RuntimeError, match="compiled=True") as caught:
        run(torch.zeros(1))
    assert "(no g++ was found)" in str(caught.value)
    assert "--compile" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (torch.cuda.OutOfMemoryError, "out of memory"),
        (RuntimeError, "DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_memory_that_runs_out_is_no_failure_to_compile(monkeypatch, kind, message):
    monkeypatch.setattr(torch, "compile", failing(message, kind))
    with pytest.raises(kind, match=message) as caught:
        Compiled(nn.Identity())(torch.zeros(1))
    assert "compiled" not in str(caught.value)


def test_a_wrong_shape_is_no_failure_to_compile(monkeypatch):
    monkeypatch.setattr(torch, "compile", failing("wrapped"))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        Compiled(nn.Linear(3, 2))(torch.zeros(1, 4))
