import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip import ClassSet
from napari_s2clip.datasets import Item, connected, tiled

CLASSES = ClassSet(["cat", "dog", "sky"])


@given(
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    st.integers(1, 12).flatmap(
        lambda side: st.tuples(st.just(side), st.integers(0, side - 1))
    ),
)
def test_tiles_cover_the_image(shape: tuple[int, int], cut: tuple[int, int]) -> None:
    side, overlap = cut
    labels = np.arange(shape[0] * shape[1]).reshape(shape) % 4
    instances, classes = connected(labels)
    scores = {n: {"score": n} for n in classes}
    item = Item(
        *("a", labels, CLASSES, labels.astype(np.uint8)),
        *(instances, classes, scores, labels == 0),
    )
    whole = np.full(shape, -1)
    names, corners = [], []
    for tile in tiled(item, side, overlap):
        y, x = tile.provenance["tile"]
        assert tile.shape == tuple(min(side, n) for n in shape)
        window = (slice(y, y + side), slice(x, x + side))
        whole[window] = tile.labels
        np.testing.assert_array_equal(tile.instances, instances[window])
        np.testing.assert_array_equal(tile.image, tile.labels)
        np.testing.assert_array_equal(tile.ignore, tile.labels == 0)
        assert set(tile.instance_classes) == set(tile.attributes)
        names.append(tile.name)
        corners.append((y, x))
    np.testing.assert_array_equal(whole, labels)
    assert len(set(names)) == len(names) == len(set(corners))
    assert names[0] == "a_r0_c0"
    assert np.diff(sorted({y for y, _ in corners})).max(initial=0) <= side - overlap


@pytest.mark.parametrize(("side", "overlap"), [(0, 0), (4, 4), (4, -1)])
def test_wrong_sizes_are_refused(side: int, overlap: int) -> None:
    item = Item("a", np.zeros((3, 3), int), CLASSES)
    with pytest.raises(ValueError, match=r"side|overlap"):
        list(tiled(item, side, overlap))
