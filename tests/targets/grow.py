"""Segments a lazy image of 8192 × 8192 px; prints how much memory that took, in MB."""

from __future__ import annotations

import json
import threading
from typing import Any

import dask.array as da
import numpy as np
import psutil
from napari.components import ViewerModel

from napari_s2clip import S2CLIP, Settings
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.planes import Scope, take_target
from napari_s2clip.targets import segment_target
from napari_s2clip.tiles import Tiling

SIDE, CHUNK = 8192, 1024
NAMES = ["red circle", "grass", "blue square"]


def main() -> None:
    scene = draw_scene(256, np.random.default_rng(0), difficulty="easy").image
    model = S2CLIP.load("demo", device="cpu")
    model.segment(scene, NAMES)  # what is loaded once is no growth

    def block(block_info: Any = None) -> np.ndarray:
        return scene.repeat(CHUNK // 256, 0).repeat(CHUNK // 256, 1)

    chunks = ((CHUNK,) * (SIDE // CHUNK),) * 2
    data = da.map_blocks(block, chunks=(*chunks, (3,)), dtype=np.uint8)
    process, done = psutil.Process(), threading.Event()
    before = process.memory_info().rss
    most = [before]

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    viewer = ViewerModel()
    layer = viewer.add_image(data, rgb=True)
    # As few tiles as go with tiles of two thousand pixels; SAM sees a part of one.
    tiling = Tiling(2176, 128)
    whole = segment_target(
        model,
        take_target(viewer, layer),
        NAMES,
        Settings(refine=False, short_side=128, stride=64),  # four windows a tile
        tiling=tiling,
    )
    part = segment_target(
        model,
        take_target(viewer, layer, Scope(window=(0, 0, 1024, 1024))),
        NAMES,
        tiling=tiling,
    )
    done.set()
    watcher.join()
    print(
        json.dumps(
            {
                "growth": (most[0] - before) / 2**20,
                "maps": type(whole.regions).__module__,
                "regions": len(whole.region_table),
                "refined": int(part.region_table["refined"].sum()),
                "seconds": whole.seconds,
            }
        )
    )


if __name__ == "__main__":
    main()
