import torch

from napari_s2clip.classification.phrases import average_windows
from napari_s2clip.features.windows import WindowPlan


def test_overlapping_windows_are_averaged():
    plan = WindowPlan((2, 3), (2, 3), (2, 2), ((0, 0), (0, 1)))
    maps = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    found = average_windows(maps, plan)
    assert torch.equal(found, torch.tensor([[[1.0, 0.5, 0.0], [1.0, 0.5, 0.0]]]))
