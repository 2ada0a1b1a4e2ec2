import pytest
import torch
from torch import nn

from napari_s2clip.demo.architectures import build_sam
from napari_s2clip.models import sam_encoder as module
from napari_s2clip.models.packed_linear import PackedLinear, can_pack
from napari_s2clip.models.sam_encoder import (
    PositionedAttention,
    fast_encoder,
    positioned_attention,
)


def by_the_formula(q, k, v, rows, columns):
    """Every score by itself, in float64."""
    q, k, v, rows, columns = (t.double() for t in (q, k, v, rows, columns))
    groups, count, width = q.shape
    w = len(columns)
    result = torch.zeros_like(v)
    for g in range(groups):
        for i in range(count):
            scores = torch.stack(
                [
                    q[g, i] @ k[g, j] / width**0.5
                    + q[g, i] @ rows[i // w, j // w]
                    + q[g, i] @ columns[i % w, j % w]
                    for j in range(count)
                ]
            )
            result[g, i] = scores.softmax(0) @ v[g]
    return result


@pytest.mark.parametrize("limit", [None, 1, 13, 40, 200])
@pytest.mark.parametrize("grid", [(2, 3), (3, 2), (1, 5), (1, 1)])
def test_it_is_the_formula_in_blocks_of_any_size(grid, limit):
    torch.manual_seed(0)
    h, w = grid
    q, k, v = (torch.randn(3, h * w, 4) for _ in range(3))
    rows, columns = torch.randn(h, h, 4), torch.randn(w, w, 4)
    found = positioned_attention(q, k, v, rows, columns, limit)
    expected = by_the_formula(q, k, v, rows, columns)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)


def with_positions(use_rel_pos: bool = True) -> nn.Module:
    """The demo's encoder; positions are zero in a fresh one."""
    torch.manual_seed(0)
    encoder = build_sam().image_encoder.eval().requires_grad_(False)
    for block in encoder.blocks:
        if use_rel_pos:
            nn.init.normal_(block.attn.rel_pos_h)
            nn.init.normal_(block.attn.rel_pos_w)
        block.attn.use_rel_pos = use_rel_pos
    return encoder


@pytest.mark.parametrize("use_rel_pos", [True, False])
def test_the_encoder_equals_that_of_segment_anything(use_rel_pos):
    encoder = with_positions(use_rel_pos)
    pixels = torch.randn(2, 3, 256, 256)
    with torch.inference_mode():
        found, expected = fast_encoder(encoder)(pixels), encoder(pixels)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_close_and_the_original_is_left_alone(dtype):
    encoder = with_positions()
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    pixels = torch.randn(1, 3, 256, 256)
    with torch.inference_mode():
        found, expected = fast_encoder(encoder, dtype)(pixels), encoder(pixels)
    assert torch.cosine_similarity(found.float(), expected, dim=1).min() > 0.99
    assert not torch.equal(found.float(), expected)
    assert all(torch.equal(before[k], v) for k, v in encoder.state_dict().items())


def test_float32_shares_the_weights():
    encoder = with_positions()
    fast = fast_encoder(encoder)
    held = {p.data_ptr() for p in encoder.parameters()}
    assert {p.data_ptr() for p in fast.parameters()} == held
    assert all(isinstance(block.attn, PositionedAttention) for block in fast.blocks)
    assert not any(isinstance(b.attn, PositionedAttention) for b in encoder.blocks)
    # Once is enough.
    assert fast_encoder(fast).state_dict().keys() == encoder.state_dict().keys()


@pytest.mark.skipif(not can_pack(), reason="this CPU has no instructions for bf16")
def test_weights_are_laid_out_for_the_cpu():
    fast = fast_encoder(with_positions(), torch.bfloat16)
    for block in fast.blocks:
        assert isinstance(block.attn.qkv, PackedLinear)
        assert isinstance(block.mlp.lin1, PackedLinear)


def test_squares_beyond_fp16_do_not_overflow():
    encoder = with_positions()
    encoder.neck[0].weight.data *= 1e4
    with torch.inference_mode():
        found = fast_encoder(encoder, torch.float16)(torch.randn(1, 3, 256, 256))
    assert found.isfinite().all()


def test_scores_are_never_more_than_the_bound(monkeypatch):
    sizes = []
    real = torch.Tensor.softmax
    monkeypatch.setitem(module._BYTES, "cpu", 4 * 70)
    monkeypatch.setattr(
        torch.Tensor,
        "softmax",
        lambda self, *a, **k: sizes.append(self.numel()) or real(self, *a, **k),
    )
    q = torch.randn(5, 6, 4)
    positioned_attention(q, q, q, torch.randn(2, 2, 4), torch.randn(3, 3, 4))
    assert sizes == [36] * 5
    sizes.clear()
    q = torch.randn(1, 25, 4)
    positioned_attention(q, q, q, torch.randn(5, 5, 4), torch.randn(5, 5, 4))
    assert sizes == [50] * 12 + [25]
    # Half as large, twice as many: 140 of 625.
    sizes.clear()
    low = q.bfloat16()
    tables = torch.randn(2, 5, 5, 4).bfloat16()
    positioned_attention(low, low, low, *tables)
    assert sizes == [125] * 5


@pytest.mark.parametrize(
    ("width", "heads", "side"),
    [(768, 12, 1024), (1024, 16, 512), (1280, 16, 512)],
    ids=["B", "L", "H"],
)
def test_real_widths_with_their_windows_and_grid(width, heads, side):
    """Two blocks of each size, one with windows that do not divide the grid."""
    from segment_anything.modeling import ImageEncoderViT

    torch.manual_seed(0)
    encoder = ImageEncoderViT(
        depth=2,
        embed_dim=width,
        img_size=side,
        mlp_ratio=4,
        norm_layer=lambda size: nn.LayerNorm(size, eps=1e-6),
        num_heads=heads,
        patch_size=16,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=(1,),
        window_size=14,
        out_chans=256,
    )
    encoder.eval().requires_grad_(False)
    for block in encoder.blocks:
        nn.init.normal_(block.attn.rel_pos_h, std=0.2)
        nn.init.normal_(block.attn.rel_pos_w, std=0.2)
    pixels = torch.randn(1, 3, side, side)
    with torch.inference_mode():
        expected = encoder(pixels)
        found = fast_encoder(encoder)(pixels)
        low = fast_encoder(encoder, torch.bfloat16)(pixels)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert torch.cosine_similarity(low.float(), expected, dim=1).min() > 0.99


def compiled_code(encoder):
    """What torch would compile of an encoder."""
    graphs = []

    def note(graph, _):
        graphs.append(graph.code)
        return graph

    pixels = torch.randn(1, 3, 256, 256)
    with torch.no_grad():
        torch.compile(encoder, backend=note)(pixels)
    return "".join(graphs)


def test_the_attention_is_left_out_where_the_rest_is_compiled():
    code = compiled_code(fast_encoder(with_positions(), packed=False))
    assert "def forward" in code
    assert "softmax" not in code
    encoder = fast_encoder(with_positions(), packed=False)
    for block in encoder.blocks:
        block.attn = PositionedAttention(block.attn)  # not left out
    assert "softmax" in compiled_code(encoder)
