from pathlib import Path

from napari_s2clip.demo.refinement import VARIANTS, ablation_rows, ablation_table
from napari_s2clip.demo.scenes import scenes


def test_every_variant_is_measured_on_the_same_scenes():
    found = ablation_table(scenes(4, seed=7))
    assert list(found) == list(VARIANTS)
    assert found["full"][0] > found["no SAM"][0] + 0.02
    assert found["no box"][0] < found["full"][0]
    assert all(0 < iou <= 1 and ms > 0 for iou, ms in found.values())
    # Every one differs from the full refinement.
    scores = [iou for name, (iou, _) in found.items() if name != "full"]
    assert found["full"][0] not in scores


def test_the_documentation_has_every_variant():
    page = Path(__file__).parents[2] / "docs" / "refinement.md"
    text = page.read_text(encoding="utf-8")
    head, line, *rows = ablation_rows(1)
    assert f"{head}\n{line}\n" in text
    for row in rows:
        assert row.split(" | ")[0] + " | " in text
