import pytest
import torch
from torch import nn

from napari_s2clip.models import packed_linear
from napari_s2clip.models.packed_linear import PackedLinear, can_pack, pack_linears

needs_operators = pytest.mark.skipif(
    not can_pack(), reason="this CPU has no instructions for bf16"
)


def in_bf16(module: nn.Module) -> nn.Module:
    return module.eval().requires_grad_(False).to(torch.bfloat16)


@needs_operators
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5,), (1, 5), (7, 5), (2, 300, 5)])
def test_it_is_the_linear_map(bias, shape):
    torch.manual_seed(0)
    linear = in_bf16(nn.Linear(5, 9, bias))
    x = torch.randn(shape)
    packed = PackedLinear(linear)
    found, expected = packed(x), x.bfloat16().double() @ linear.weight.double().T
    if bias:
        expected = expected + linear.bias.double()
    assert found.dtype == torch.bfloat16
    assert found.shape == (*shape[:-1], 9)
    # One rounding to bf16: 8 bits of mantissa.
    torch.testing.assert_close(found.double(), expected, rtol=2**-8, atol=2**-10)


@needs_operators
def test_the_maps_of_a_module_are_replaced():
    module = in_bf16(nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 2)))
    x = torch.randn(3, 4).bfloat16()
    expected = module(x)
    pack_linears(module)
    assert [type(part) for part in module] == [PackedLinear, nn.GELU, PackedLinear]
    torch.testing.assert_close(module(x), expected)
    # The weights are held once, in their new layout.
    assert not list(module.parameters())
    assert str(module[0]) == "PackedLinear(in_features=4, out_features=4, bias=True)"


@needs_operators
def test_maps_whose_weights_others_read_stay():
    module = in_bf16(nn.Sequential(nn.MultiheadAttention(8, 2)))
    pack_linears(module)
    assert type(module[0].out_proj).__name__ == "NonDynamicallyQuantizableLinear"


def test_other_formats_stay():
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4).half())
    pack_linears(module)
    assert [type(part) for part in module] == [nn.Linear, nn.Linear]


@pytest.mark.parametrize(
    ("name", "value"),
    [("_MULTIPLY", "_of_another_version"), ("cpu_has_bf16", lambda: False)],
)
def test_nothing_is_done_where_it_cannot_be(monkeypatch, name, value):
    monkeypatch.setattr(packed_linear, name, value)
    assert not can_pack()
    module = in_bf16(nn.Sequential(nn.Linear(4, 4)))
    pack_linears(module)
    assert type(module[0]) is nn.Linear


def test_this_pytorch_has_the_operators(monkeypatch):
    """If a new version has not, bf16 is a tenth slower, and that is to be seen."""
    monkeypatch.setattr(packed_linear, "cpu_has_bf16", lambda: True)
    assert can_pack()
