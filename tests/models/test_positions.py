from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from napari_s2clip.models.positions import Positions, resample_positions

NATIVE = (6, 4)


@pytest.fixture
def table() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(1 + 24, 5)


@pytest.mark.parametrize("how", get_args(Positions))
def test_the_own_grid_leaves_the_table_untouched(table, how):
    assert resample_positions(table, NATIVE, NATIVE, how) is table


@pytest.mark.parametrize("how", get_args(Positions))
@pytest.mark.parametrize("grid", [(3, 9), (7, 2), (1, 1), (21, 21), (37, 13)])
def test_grids_need_not_be_square_and_the_class_token_stays(table, how, grid):
    found = resample_positions(table, NATIVE, grid, how)
    assert found.shape == (1 + grid[0] * grid[1], 5)
    assert torch.equal(found[0], table[0])


@pytest.mark.parametrize("how", get_args(Positions))
def test_rows_and_columns_are_not_swapped(how):
    rows = torch.arange(6.0).repeat_interleave(4)
    table = torch.cat([torch.zeros(1, 1), rows[:, None]])
    found = resample_positions(table, NATIVE, (12, 8), how)[1:].view(12, 8)
    assert torch.allclose(found, found[:, :1].expand(12, 8), atol=1e-5)
    assert (found[4:, 0] > found[:-4, 0]).all()


def test_the_offset_by_hand():
    """Bicubic convolution (a = -0.75) at the centres that the stretched scale gives."""
    table = torch.cat([torch.zeros(1, 1), torch.randn(8, 1)])
    found = resample_positions(table, (1, 8), (1, 5), "offset")[1:, 0]

    def weight(x: float) -> float:
        x, a = abs(x), -0.75
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0

    for i in range(5):
        at = (i + 0.5) * 8 / 5.1 - 0.5
        near = [int(at // 1) + k for k in range(-1, 3)]
        by_hand = sum(
            weight(at - j) * float(table[1 + min(max(j, 0), 7), 0]) for j in near
        )
        assert float(found[i]) == pytest.approx(by_hand, abs=1e-5)


def test_each_way_is_the_formula_of_torch(table):
    grid = (4, 9)
    maps = table[1:].T.reshape(1, 5, *NATIVE)
    expected = {
        "bicubic": F.interpolate(maps, grid, mode="bicubic"),
        "offset": F.interpolate(maps, scale_factor=(4.1 / 6, 9.1 / 4), mode="bicubic"),
        "antialias": F.interpolate(maps, grid, mode="bicubic", antialias=True),
        "bilinear": F.interpolate(maps, grid, mode="bilinear"),
    }
    for how, theirs in expected.items():
        found = resample_positions(table, NATIVE, grid, how)[1:]
        assert torch.equal(found, theirs.flatten(2)[0].T), how
        others = [v for name, v in expected.items() if name != how]
        assert not any(torch.allclose(theirs, other, atol=1e-3) for other in others)


def test_an_unknown_way_is_refused(table):
    with pytest.raises(ValueError, match=r"positions is 'nearest'; choose one of bic"):
        resample_positions(table, NATIVE, (2, 2), "nearest")
