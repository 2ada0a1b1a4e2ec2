import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s2clip.demo.scenes import (
    DIFFICULTIES,
    Scene,
    draw_scene,
    draw_shape,
    scenes,
)
from napari_s2clip.demo.textures import paint_texture
from napari_s2clip.demo.vocabulary import (
    COLOURS,
    SHAPES,
    TEXTURES,
    UNSEEN_OBJECTS,
)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(128, 200),
    st.sampled_from(sorted(DIFFICULTIES)),
    st.integers(0, 10_000),
)
def test_labels_and_instances_agree(size, difficulty, seed):
    scene = draw_scene(size, np.random.default_rng(seed), difficulty=difficulty)
    assert scene.image.shape == (size, size, 3)
    assert scene.image.dtype == np.uint8
    assert scene.labels.min() >= 1
    assert scene.labels.max() <= len(scene.names)
    grounds = np.isin(
        scene.labels, [scene.names.index(n) + 1 for n in scene.names if n in TEXTURES]
    )
    assert np.array_equal(grounds, scene.instances == 0)
    for value in np.unique(scene.instances[scene.instances > 0]):
        assert len(np.unique(scene.labels[scene.instances == value])) == 1


def test_objects_have_the_colour_of_their_name():
    for index in range(20):
        scene = draw_scene(160, np.random.default_rng(index), difficulty="easy")
        for value, name in enumerate(scene.names, 1):
            inside = scene.labels == value
            if name in TEXTURES or inside.sum() < 200:
                continue
            mean = scene.image[inside].mean(0)
            distance = {c: np.linalg.norm(mean - rgb) for c, rgb in COLOURS.items()}
            assert min(distance, key=distance.get) == name.split()[0]


def test_a_longer_run_begins_with_the_shorter_one():
    short, long = list(scenes(2, size=128)), list(scenes(5, size=128))
    for one, other in zip(short, long, strict=False):
        assert np.array_equal(one.image, other.image)
        assert one.names == other.names
    assert not np.array_equal(long[0].image, next(scenes(1, size=128, seed=1)).image)
    assert [s.difficulty for s in long[:3]] == ["easy", "medium", "hard"]


def test_only_the_given_objects_are_drawn():
    found = scenes(9, size=128, objects=UNSEEN_OBJECTS)
    assert all(set(s.names) <= {*UNSEEN_OBJECTS, *TEXTURES} for s in found)


def test_present_leaves_out_specks():
    labels = np.ones((100, 100), np.uint16)
    labels[0, :19] = 2
    labels[1, :20] = 3
    scene = Scene(
        np.zeros((100, 100, 3), np.uint8), labels, labels, ("a", "b", "c"), "easy"
    )
    assert scene.present() == ("a", "c")


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_fill_their_radius(shape):
    mask = draw_shape(shape, 200, (100, 100), 40, 0.3)
    rows, columns = np.nonzero(mask)
    reach = np.hypot(rows - 100, columns - 100).max()
    assert 40 * 0.9 <= reach <= 40 * 1.45
    assert mask.dtype == bool


def test_a_ring_has_a_hole_and_a_disc_its_area():
    assert not draw_shape("ring", 200, (100, 100), 40, 0)[100, 100]
    area = draw_shape("circle", 200, (100, 100), 40, 0).sum()
    assert area == pytest.approx(np.pi * 40**2, rel=0.03)


@pytest.mark.parametrize("name", TEXTURES)
@pytest.mark.parametrize("size", [128, 512])
def test_textures_of_any_size(name, size):
    image = paint_texture(name, size, np.random.default_rng(1))
    assert image.shape == (size, size, 3)
    assert image.dtype == np.float32
    assert image.std((0, 1)).min() > 2


def test_unknown_words_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no texture 'lava'"):
        paint_texture("lava", 128, rng)
    with pytest.raises(ValueError, match="no shape 'blob'"):
        draw_shape("blob", 128, (10, 10), 3, 0)
