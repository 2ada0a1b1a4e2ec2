"""What is black and white of a plane, and how much of lazy data is read for it."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel

from napari_s2clip.image import to_rgb
from napari_s2clip.planes import Channels, Plane, Scope, take_target


def plane_of(data: Any, scope: dict[str, Any] | None = None, **options: Any) -> Plane:
    viewer = ViewerModel()
    layer = viewer.add_image(data, **options)
    return take_target(viewer, layer, Scope(**(scope or {}))).planes[0]


RNG = np.random.default_rng(0)
GREY = RNG.integers(100, 4000, (40, 50)).astype(np.uint16)
FLOATS = RNG.normal(size=(40, 50, 3)).astype(np.float32)
PICTURES: dict[str, tuple[Any, dict[str, Any]]] = {
    "grey": (GREY, {"contrast_limits": (200, 3000)}),
    "uint8": (GREY.astype(np.uint8), {"contrast_limits": (0, 255)}),
    "bool": (GREY > 2000, {}),
    "float": (FLOATS[..., 0], {}),
    "rgb": (RNG.integers(0, 256, (40, 50, 3), np.uint8), {"rgb": True}),
    "rgba": (RNG.integers(0, 256, (40, 50, 4), np.uint8), {"rgb": True}),
    "float rgba": (RNG.random((40, 50, 4), np.float32) * 0.5, {"rgb": True}),
    "uint16 rgb": (RNG.integers(0, 9999, (40, 50, 3), np.uint16), {"rgb": True}),
}


@pytest.mark.parametrize("contrast", ["shown", "percentile"])
@pytest.mark.parametrize("name", PICTURES)
def test_tile_is_a_part_of_the_whole_picture(name: str, contrast: Any) -> None:
    data, options = PICTURES[name]
    plane = plane_of(data, {"contrast": contrast}, **options)
    whole = plane.tile().pixels
    for rows, columns in ((slice(0, 7), slice(3, 9)), (slice(30, 40), slice(0, 50))):
        part = plane.tile(rows, columns)
        np.testing.assert_array_equal(part.pixels, whole[rows, columns])


@pytest.mark.parametrize("name", PICTURES)
def test_shown_picture_is_what_it_was_without_tiles(name: str) -> None:
    data, options = PICTURES[name]
    plane = plane_of(data, **options)
    expected = to_rgb(data, rgb=plane.rgb, contrast_limits=plane.contrast_limits)
    found = plane.tile()
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert found.notes == expected.notes


def test_window_is_as_bright_as_in_the_whole() -> None:
    data = np.arange(40 * 50, dtype=np.float64).reshape(40, 50)
    whole = plane_of(data, {"contrast": "percentile"}).tile().pixels
    scope = {"contrast": "percentile", "window": (5, 6, 20, 30)}
    np.testing.assert_array_equal(
        plane_of(data, scope).tile().pixels, whole[5:20, 6:30]
    )


def test_percentiles_are_those_of_each_plane_and_channel() -> None:
    ramp = np.linspace(0, 1, 1001)[:, None] * np.ones((1, 4))
    stack = np.stack([ramp * 1000, ramp * 10 + 7, ramp * 0.1])
    scope = {"contrast": "percentile", "channels": Channels(0, 0, 1, 2)}
    plane = plane_of(stack, scope)
    (low, high), second, _ = plane.levels.get().limits
    assert (low, high) == pytest.approx((10, 998))
    assert second == pytest.approx((7.1, 16.98))
    # Whatever their values, the channels of a picture are equally bright.
    pixels = plane.tile().pixels
    assert np.ptp(pixels.astype(int), axis=2).max() <= 1
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_shown_channels_have_the_contrast_of_the_layer() -> None:
    stack = np.stack([np.full((4, 5), v, np.uint16) for v in (100, 200, 300)])
    scope = {"channels": Channels(0, 2, 1, 0)}
    plane = plane_of(stack, scope, contrast_limits=(100, 300))
    assert plane.tile().pixels[0, 0].tolist() == [255, 128, 0]


def test_percentile_stretches_grey_levels_too() -> None:
    data = (np.arange(2000).reshape(40, 50) % 100).astype(np.uint8)
    assert plane_of(data, contrast_limits=(0, 255)).tile().pixels.max() == 99
    assert plane_of(data, {"contrast": "percentile"}).tile().pixels.max() == 255


def counted(
    shape: tuple[int, ...], chunks: tuple[int, ...], dtype: Any = np.uint16
) -> tuple[Any, list[Any]]:
    """A ramp along the columns that remembers which chunks were computed."""
    read: list[Any] = []

    def block(block_info: Any = None) -> np.ndarray:
        here = block_info[None]["array-location"]
        read.append(tuple(low for low, _ in here))
        row = np.arange(*here[-1], dtype=dtype)
        return np.broadcast_to(row, [high - low for low, high in here]).copy()

    sizes = tuple((c,) * (n // c) for n, c in zip(shape, chunks, strict=True))
    data = da.map_blocks(block, chunks=sizes, dtype=dtype)
    return data, read


def test_a_tile_reads_its_own_chunks_only() -> None:
    data, read = counted((2, 4096, 4096), (1, 512, 512))
    plane = plane_of(data, {"ranges": ((0, 1, 1),)}, contrast_limits=(0, 4096))
    read.clear()
    plane.tile(slice(512, 1024), slice(1000, 1100))
    assert sorted(set(read)) == [(1, 512, 512), (1, 512, 1024)]


def test_percentiles_of_lazy_data_read_a_few_chunks_once() -> None:
    data, read = counted((1, 8192, 8192), (1, 512, 512))
    scope = {"contrast": "percentile"}
    plane = plane_of(data, scope, contrast_limits=(0, 8192))
    read.clear()
    ((low, high),) = plane.levels.get().limits
    assert len(read) == len(set(read)) == 9  # of 256
    assert low < 1600 < 6600 < high
    plane.levels.get()
    assert len(read) == 9


def test_one_chunk_for_the_whole_plane_is_computed_once() -> None:
    data, read = counted((2, 2048, 2048), (1, 2048, 2048))
    plane = plane_of(data, {"contrast": "percentile"}, contrast_limits=(0, 9))
    read.clear()
    plane.levels.get()
    assert len(read) == 1


def test_channels_of_one_chunk_are_computed_once() -> None:
    data, read = counted((3, 512, 512), (3, 256, 256))
    plane = plane_of(data, {"channels": Channels(0, 2, 1, 0)}, contrast_limits=(0, 9))
    read.clear()
    assert plane.tile(slice(0, 256), slice(0, 256)).pixels.shape == (256, 256, 3)
    assert len(read) == 1


def test_percentiles_of_a_pyramid_are_those_of_its_coarsest_level() -> None:
    fine, read = counted((8192, 8192), (512, 512))
    coarse = np.full((1024, 1024), 5, np.uint16)
    coarse[:, 512:] = 900
    plane = plane_of(
        [fine, coarse],
        {"contrast": "percentile", "level": 0},
        multiscale=True,
        contrast_limits=(0, 9),
    )
    read.clear()
    assert plane.levels.get().limits == ((5, 900),)
    assert not read


def test_large_array_in_memory_is_sampled_without_a_copy() -> None:
    data = np.broadcast_to(np.arange(6000, dtype=np.float32), (6000, 6000))
    plane = plane_of(data, {"contrast": "percentile"}, contrast_limits=(0, 1))
    ((low, high),) = plane.levels.get().limits
    assert (low, high) == pytest.approx((60, 5988), abs=12)


def test_zarr_is_read_in_parts() -> None:
    data = zarr.create_array({}, shape=(3, 300, 400), chunks=(1, 64, 64), dtype="u2")
    data[1] = np.arange(300)[:, None] + np.arange(400)
    plane = plane_of(data, {"ranges": ((0, 1, 1),)}, contrast_limits=(0, 700))
    part = plane.read(slice(10, 12), slice(20, 23))
    np.testing.assert_array_equal(part, [[30, 31, 32], [31, 32, 33]])
