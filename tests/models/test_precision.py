import logging

import numpy as np
import open_clip
import pytest
import torch
from open_clip.model import CustomTextCLIP
from torch import nn

from napari_s2clip.demo.architectures import (
    CLIP_CONFIG,
    build_clip,
    build_dino,
    build_sam,
)
from napari_s2clip.models import precision
from napari_s2clip.models.clip import ClipModel
from napari_s2clip.models.packed_linear import PackedLinear, can_pack
from napari_s2clip.models.precision import choose_precision, cpu_has_bf16, lower
from napari_s2clip.models.sam import SamModel
from napari_s2clip.models.vfm import SamEncoder, VisionModel

CPU, CUDA, MPS = (torch.device(name) for name in ("cpu", "cuda", "mps"))
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
LOW = [torch.bfloat16, torch.float16]

TOLERANCE = 0.99
"""Least cosine of a token with the one computed in float32."""


@pytest.fixture
def cpu(monkeypatch):
    """Give the CPU instructions for bf16, or none."""

    def cpu(has_bf16: bool) -> None:
        monkeypatch.setattr(precision, "cpu_has_bf16", lambda: has_bf16)

    return cpu


# ------------------------------------------------------------------ the choice


@pytest.mark.parametrize(
    ("name", "device", "has_bf16", "preferred", "expected"),
    [
        ("auto", CUDA, False, "auto", "fp16"),
        ("auto", CPU, True, "auto", "bf16"),
        ("auto", CPU, False, "auto", "fp32"),
        ("auto", MPS, True, "auto", "fp32"),
        ("auto", CUDA, True, "fp32", "fp32"),
        ("auto", CPU, True, "fp32", "fp32"),
        ("auto", CUDA, False, "bf16", "bf16"),
        ("fp32", CUDA, True, "auto", "fp32"),
        ("bf16", CUDA, False, "fp32", "bf16"),
        ("bf16", CPU, True, "fp32", "bf16"),
        ("fp16", CUDA, False, "auto", "fp16"),
        ("fp32", MPS, False, "auto", "fp32"),
    ],
)
def test_choice(cpu, caplog, name, device, has_bf16, preferred, expected):
    cpu(has_bf16)
    with caplog.at_level(logging.WARNING):
        assert choose_precision(name, device, preferred) == expected
    assert not caplog.text


@pytest.mark.parametrize(
    ("name", "device", "preferred", "message"),
    [
        ("fp16", CPU, "auto", "fp16 does not work on cpu; choose auto, fp32 or bf16"),
        ("fp16", MPS, "auto", "fp16 does not work on mps; choose auto or fp32"),
        ("bf16", MPS, "auto", "bf16 does not work on mps; choose auto or fp32"),
        ("auto", CPU, "fp16", "fp16 does not work on cpu"),
        ("half", CPU, "auto", "there is no 'half'; choose one of auto, fp32, bf16, fp"),
    ],
)
def test_an_impossible_choice_is_refused(name, device, preferred, message):
    with pytest.raises(ValueError, match=f"^precision: {message}"):
        choose_precision(name, device, preferred)


def test_a_slow_choice_is_said(cpu, caplog):
    cpu(False)
    with caplog.at_level(logging.WARNING):
        assert choose_precision("bf16", CPU) == "bf16"
    assert "this CPU has no instructions for bf16" in caplog.text


# --------------------------------------------------------------------- the CPU


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", {"avx512_bf16": True, "amx_bf16": False}, True),
        ("AMD64", {"avx512_bf16": False, "amx_bf16": True}, True),
        ("x86_64", {"avx512_f": True}, False),
        ("arm64", {"bf16": True}, False),
    ],
)
def test_pytorch_tells_about_the_cpu(monkeypatch, machine, flags, expected):
    monkeypatch.setattr(precision.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
    assert cpu_has_bf16() is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model\t: A\nflags\t\t: fpu avx512_bf16 sse\n\nflags\t\t: fpu\n", True),
        ("flags\t\t: fpu amx_bf16\n", True),
        ("flags\t\t: fpu avx512f xavx512_bf16\nbugs\t: avx512_bf16\n", False),
        ("", False),
        (None, False),
    ],
)
def test_the_kernel_tells_where_pytorch_does_not(monkeypatch, tmp_path, text, expected):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(precision.platform, "machine", lambda: "x86_64")
    path = tmp_path / "cpuinfo"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(precision, "_CPUINFO", path)
    assert cpu_has_bf16() is expected


# ------------------------------------------------------------------ the models


def clip_in(dtype: torch.dtype, model: nn.Module | None = None) -> ClipModel:
    torch.manual_seed(0)
    tokenizer = open_clip.SimpleTokenizer(
        context_length=CLIP_CONFIG["text_cfg"]["context_length"]
    )
    return ClipModel(model or build_clip(), tokenizer, CPU, MEAN, STD, dtype)


def least_cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.cosine_similarity(one, other, dim=-1).min())


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 64, 48, 3), np.uint8)


def test_float32_leaves_a_module_alone():
    module = nn.Sequential(nn.Linear(4, 4))
    lower(module, torch.float32)
    assert module[0].weight.dtype == torch.float32
    assert not module[0]._forward_pre_hooks


@pytest.mark.parametrize("dtype", LOW)
def test_products_are_lowered_and_norms_are_not(dtype):
    model = clip_in(dtype).model
    visual = model.visual
    block, text = visual.transformer.resblocks[0], model.transformer.resblocks[0]
    for weight in (
        visual.conv1.weight,
        block.attn.in_proj_weight,
        block.attn.out_proj.weight,
        text.mlp.c_fc.weight,
        text.mlp.c_fc.bias,
    ):
        assert weight.dtype == dtype
    for weight in (
        visual.proj,
        visual.ln_pre.weight,
        visual.positional_embedding,
        block.ln_1.weight,
    ):
        assert weight.dtype == torch.float32


def test_the_same_tensor_is_converted_once():
    """Attention takes its fast way only if q, k and v are one tensor."""
    seen = []

    class Spy(nn.MultiheadAttention):
        def forward(self, query, key, value):
            seen.append((query, key, value))
            return query

    attention = Spy(8, 2)
    lower(attention, torch.bfloat16)
    tokens = torch.zeros(1, 3, 8)
    attention(tokens, tokens, tokens)
    ((query, key, value),) = seen
    assert query is key is value
    assert query.dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", LOW)
def test_the_image_tower(windows, dtype):
    full, low = clip_in(torch.float32), clip_in(dtype)
    ours, theirs = low.hidden_states(windows), full.hidden_states(windows)
    for one, other in zip(
        [ours.embedded, *ours.states], [theirs.embedded, *theirs.states], strict=True
    ):
        assert one.dtype == torch.float32
        assert least_cosine(one, other) >= TOLERANCE
    one, other = (m.project(m.last_block(theirs.states[-1])) for m in (low, full))
    assert one.dtype == torch.float32
    assert least_cosine(one, other) >= TOLERANCE
    assert not torch.equal(one, other)


@pytest.mark.parametrize("dtype", LOW)
def test_the_parts_of_a_block_hand_on_float32(windows, dtype):
    full, low = clip_in(torch.float32), clip_in(dtype)
    tokens = full.hidden_states(windows).states[-1]
    with torch.inference_mode():
        found = [
            (*m.last.qkv(tokens), m.last.out(tokens), m.last.feed_forward(tokens))
            for m in (low, full)
        ]
        for one, other in zip(*found, strict=True):
            assert one.dtype == torch.float32
            assert least_cosine(one, other) >= TOLERANCE
            assert not torch.equal(one, other)


@pytest.mark.parametrize("dtype", LOW)
@pytest.mark.parametrize("custom", [False, True])
def test_the_text_tower(dtype, custom):
    def build() -> nn.Module:
        torch.manual_seed(0)
        if not custom:
            return build_clip()
        sizes = {k: CLIP_CONFIG[k] for k in ("embed_dim", "vision_cfg", "text_cfg")}
        return CustomTextCLIP(**sizes)

    texts = ["a photo of a red circle", "grass"]
    low, full = clip_in(dtype, build()), clip_in(torch.float32, build())
    one, other = low.encode_text(texts), full.encode_text(texts)
    assert one.dtype == torch.float32
    assert least_cosine(one, other) >= TOLERANCE
    assert not torch.equal(one, other)


def test_the_sums_of_the_text_tower_stay_in_float32():
    clip = clip_in(torch.bfloat16)
    seen = []
    clip.model.transformer.register_forward_hook(
        lambda module, args, result: seen.append((args[0].dtype, result.dtype))
    )
    clip.encode_text(["grass"])
    assert seen == [(torch.float32, torch.float32)]


@pytest.mark.parametrize("dtype", LOW)
def test_the_fusion_model(windows, dtype):
    found = []
    for one in (dtype, torch.float32):
        torch.manual_seed(0)
        found.append(VisionModel(build_dino(), CPU, MEAN, STD, one).tokens(windows))
    low, full = found
    assert low.dtype == torch.float32
    assert least_cosine(low, full) >= TOLERANCE
    assert not torch.equal(low, full)


@pytest.mark.skipif(not can_pack(), reason="this CPU has no instructions for bf16")
def test_the_maps_of_the_image_towers_are_laid_out_for_the_cpu(windows):
    clip, vision = (
        clip_in(torch.bfloat16),
        VisionModel(build_dino(), CPU, MEAN, STD, torch.bfloat16),
    )
    for block in clip.model.visual.transformer.resblocks:
        assert isinstance(block.mlp.c_fc, PackedLinear)
        assert isinstance(block.mlp.c_proj, PackedLinear)
    for block in vision.model.blocks:
        assert isinstance(block.attn.qkv, PackedLinear)
        assert isinstance(block.mlp.fc1, PackedLinear)


def test_the_fusion_model_takes_attention_in_blocks(windows, monkeypatch):
    calls = []

    def spy(queries, keys, values):
        calls.append(queries.shape)
        return values

    monkeypatch.setattr("napari_s2clip.models.attention_cpu.blocked_attention", spy)
    VisionModel(build_dino(), CPU, MEAN, STD).tokens(windows)
    assert not calls
    VisionModel(build_dino(), CPU, MEAN, STD, torch.bfloat16).tokens(windows)
    assert calls == [(2, 4, 1 + 8 * 6, 32)] * 4


def test_sam_as_fusion_model(windows):
    torch.manual_seed(0)
    sam = build_sam()
    low = SamEncoder(SamModel(sam, CPU, torch.bfloat16)).tokens(windows)
    full = SamEncoder(SamModel(sam, CPU)).tokens(windows)
    assert low.dtype == torch.float32
    assert least_cosine(low, full) >= TOLERANCE
    assert not torch.equal(low, full)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_cuda(name):
    if not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    from napari_s2clip import S2CLIP

    image = np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8)
    full = S2CLIP.load("demo", device="cpu").encode(image)
    found = S2CLIP.load("demo", device="cuda", precision=name).encode(image)
    assert found.dense.dtype == torch.float32
    assert least_cosine(found.dense.cpu(), full.dense) >= TOLERANCE
