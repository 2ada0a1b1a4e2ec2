import pytest

from napari_s2clip.features.levels import choose_levels, choose_mid_layer


@pytest.mark.parametrize(
    ("blocks", "first", "last", "mid"),
    [(12, 3, 9, 8), (24, 10, 21, 17), (32, 2, 29, 23), (6, 2, 4, 4), (1, 0, 0, 0)],
)
def test_levels_by_depth(blocks, first, last, mid):
    levels = choose_levels(blocks)
    assert (levels[0], levels[-1]) == (first, last)
    assert choose_mid_layer(blocks) == mid


def test_given_levels_are_kept():
    assert choose_levels(12, (1, 5)) == (1, 5)
    assert choose_levels(12, ()) == ()
    assert choose_mid_layer(12, 7) == 7


@pytest.mark.parametrize("level", [-1, 11, 40])
def test_levels_outside_the_model_are_refused(level):
    with pytest.raises(ValueError, match=r"levels: block .* 0 and 10"):
        choose_levels(12, (3, level))
    with pytest.raises(ValueError, match="mid_layer"):
        choose_mid_layer(12, level)
