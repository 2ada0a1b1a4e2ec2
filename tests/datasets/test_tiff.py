import numpy as np
import pytest

from napari_s2clip.datasets import Tiff

from .exact import item_of, there_and_back


@pytest.mark.parametrize("unit", ["µm", "px"])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
def test_tiff_keeps_values_and_the_size_of_a_pixel(shape, unit, tmp_path):
    image = np.random.default_rng(0).random(shape, np.float32)
    labels = np.full((4, 5), 7)
    item = item_of(labels, image=image, pixel_size=(0.25, 0.5), unit=unit)
    back, _ = there_and_back(Tiff(), item, tmp_path)
    np.testing.assert_array_equal(back.image, image)
    assert (back.pixel_size, back.unit) == ((0.25, 0.5), unit)


def test_tiff_keeps_what_is_known_of_objects(tmp_path):
    labels = np.array([[7, 0, 300]])
    known = {5: {"score": 0.25, "crowd": True, "word": "ü"}}
    ids = {"instances": np.array([[5, 0, 9]]), "instance_classes": {5: 7, 9: 300}}
    item = item_of(labels, attributes=known, **ids)
    back, record = there_and_back(Tiff(), item, tmp_path)
    assert back.attributes == known
    assert back.instance_classes == {5: 7, 9: 300}
    assert record.skipped == ()
