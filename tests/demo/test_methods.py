from pathlib import Path

from napari_s2clip.demo.methods import (
    deviation_rows,
    difference_rows,
    score_rows,
    setting_rows,
)
from napari_s2clip.features.methods import METHODS


def test_the_table_of_differences_has_a_row_a_method():
    head, line, *rows = difference_rows()
    assert len(rows) == len(METHODS)
    assert {row.count("|") for row in (head, line, *rows)} == {12}
    cells = {row.split("`")[1]: row.split(" | ") for row in rows}
    assert cells["sclip"][3] == "qq + kk"
    assert cells["s2clip"][3] == "(qq + kk) / 2"
    assert cells["trident"][8] == "DINO, then SAM"
    assert cells["cliper"][9:] == ["branches", "100 |"]
    assert cells["naclip"][3] == "kk, Gaussian of 5 patches"


def test_scores_are_sorted_and_vanilla_is_not_the_best():
    _, _, *rows = score_rows(3, seed=77)
    names = [row.split("`")[1] for row in rows]
    scores = [float(row.split("|")[2]) for row in rows]
    assert sorted(names) == sorted(METHODS)
    assert scores == sorted(scores, reverse=True)
    assert scores[names.index("s2clip")] > 2 * scores[names.index("clip")]


def test_the_documentation_has_the_table_of_the_code():
    page = Path(__file__).parents[2] / "docs" / "methods.md"
    text = page.read_text(encoding="utf-8")
    assert "\n".join(difference_rows()) in text
    assert "\n".join(setting_rows()) in text
    assert "\n".join(deviation_rows()) in text
