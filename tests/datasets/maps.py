"""Random label maps: holes, touching regions, single pixels, lines, borders."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

__all__ = ["label_maps", "masks"]

_SHAPES = st.tuples(st.integers(1, 14), st.integers(1, 14))

masks = _SHAPES.flatmap(lambda shape: arrays(bool, shape))


@st.composite
def label_maps(draw: st.DrawFn, classes: int = 3) -> np.ndarray:
    """Noise, over which boxes and lines are drawn, some of them background."""
    shape = draw(_SHAPES)
    value = st.integers(0, classes)
    labels = draw(
        st.one_of(
            arrays(np.int64, shape, elements=value),
            st.builds(lambda v: np.full(shape, v), value),
        )
    )
    for _ in range(draw(st.integers(0, 4))):
        y, x = (draw(st.integers(0, n - 1)) for n in shape)
        height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
        labels[y : y + height, x : x + width] = draw(value)
    return labels
