from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_s2clip import ClassSet
from napari_s2clip.demo.vocabulary import OBJECTS, TEXTURES
from napari_s2clip.layers import class_names
from napari_s2clip.sample_data import demo_scene, photograph

SAMPLES = [demo_scene, photograph]


def layer_of(sample: Callable[[], list[Any]]) -> Image:
    ((data, options, kind),) = sample()
    assert kind == "image"
    return Image(data, **options)


@pytest.mark.parametrize("sample", SAMPLES)
def test_sample_is_a_colour_image_with_classes(sample: Callable[[], list[Any]]) -> None:
    layer = layer_of(sample)
    assert layer.rgb
    assert layer.data.dtype == np.uint8
    assert len(ClassSet(class_names(layer))) >= 2


@pytest.mark.parametrize("sample", SAMPLES)
def test_sample_needs_no_network(
    sample: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    assert len(sample()) == 1


def test_demo_scene_is_always_the_same() -> None:
    first, second = layer_of(demo_scene), layer_of(demo_scene)
    assert first.data.shape == (256, 256, 3)
    np.testing.assert_array_equal(first.data, second.data)


def test_demo_scene_speaks_the_words_of_the_demo_models() -> None:
    names = class_names(layer_of(demo_scene))
    assert set(names) <= {*OBJECTS, *TEXTURES}
    assert set(names) & set(OBJECTS)
    assert set(names) & set(TEXTURES)
