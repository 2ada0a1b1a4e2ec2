from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_memory_is_bounded_by_the_tile_and_not_by_the_image() -> None:
    found = subprocess.run(
        [sys.executable, "-W", "ignore", str(Path(__file__).with_name("grow.py"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout.splitlines()[-1])
    assert report["growth"] < 1500  # MB, of which napari needs 600 to show the image
    assert report["maps"].startswith("zarr.")
    assert report["regions"] > 10
    assert report["refined"] > 0
