"""What the labels mean: their colours, and what hovering tells."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd
    from napari.utils.colormaps import DirectLabelColormap

    from ..classes import ClassSet

__all__ = ["Legend", "label_colormap"]

_OTHER: Final = "#808080"
"""Colour of labels that are no class: a user may paint any number."""

_COLOURS: Final = 1000
"""napari draws wrong colours where a layer has more than 1024 of them."""

_SHADES: Final = (1.0, 0.78, 1.22)
"""Lightness of the regions of a class in turn, so that neighbours differ."""


@dataclass(frozen=True)
class Legend:
    """Names and colours of label values.

    Attributes
    ----------
    names : dict of int to str
        Classes that are in the list, in its order.
    colours : dict of int to str
    removed : dict of int to str
        Names of classes that are in it no more; pixels may have them still.
    """

    names: dict[int, str]
    colours: dict[int, str]
    removed: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, classes: ClassSet, before: dict[str, Any]) -> Legend:
        """Legend of a list of classes and of those in the entry of the layer before."""
        names = dict(zip(classes.ids, classes.names, strict=True))
        known = {
            int(item["id"]): str(item["name"])
            for key in ("removed", "classes")
            for item in before.get(key, ())
        }
        return cls(
            names,
            dict(zip(classes.ids, classes.colours, strict=True)),
            {value: name for value, name in known.items() if value not in names},
        )

    def name(self, value: int) -> str:
        """What a label is called on hover."""
        if value in self.names:
            return self.names[value]
        return f"removed: {self.removed.get(value, value)}"

    def plain_removed(self) -> list[dict[str, Any]]:
        """The removed classes, for metadata."""
        return [{"id": value, "name": name} for value, name in self.removed.items()]

    def class_features(self, shares: dict[int, float]) -> dict[str, Any]:
        """Table for a map of classes."""
        values = [0, *self.names, *self.removed]
        names = ["background", *map(self.name, values[1:])]
        features: dict[str, Any] = {"index": values, "class": names}
        if shares:
            features["share"] = [f"{100 * shares.get(v, 0.0):.3g} %" for v in values]
        return features

    def class_colours(self) -> dict[int, str]:
        """Colours for a map of classes."""
        return _few({**self.colours, **dict.fromkeys(self.removed, _OTHER)})

    def region_features(self, table: pd.DataFrame) -> dict[str, Any]:
        """Table for a map of regions."""
        classes = [self.name(int(value)) for value in table["class_id"]]
        nothing = [float("nan")]
        return {
            "index": [0, *table["region"].tolist()],
            "class": ["no region", *classes],
            "probability": nothing + table["mean_probability"].round(3).tolist(),
            "sam_score": nothing + table["sam_score"].round(3).tolist(),
        }

    def region_colours(self, table: pd.DataFrame) -> dict[int, str]:
        """Colours for a map of regions: shades of the colour of the class."""
        used = table["class_id"].unique().tolist()
        shades = _SHADES if len(used) * len(_SHADES) <= _COLOURS else _SHADES[:1]
        of_class = {
            int(value): [
                _shade(self.colours.get(int(value), _OTHER), s) for s in shades
            ]
            for value in used
        }
        ids = zip(table["region"].tolist(), table["class_id"].tolist(), strict=True)
        return _few({r: of_class[c][(r - 1) % len(shades)] for r, c in ids})


def label_colormap(colours: dict[int, str]) -> DirectLabelColormap:
    """Colour map of labels; others are grey and 0 is transparent."""
    from napari.utils.colormaps import DirectLabelColormap

    shown: dict[Any, str] = {**colours, None: _OTHER, 0: "transparent"}
    return DirectLabelColormap(color_dict=shown)


def _shade(colour: str, factor: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    rgb = colorsys.hls_to_rgb(hue, min(lightness * factor, 0.95), saturation)
    return "#" + "".join(f"{round(255 * v):02x}" for v in rgb)


def _few(colours: dict[int, str]) -> dict[int, str]:
    """The same colours if napari can draw them all, else some of them again."""
    distinct = list(dict.fromkeys(colours.values()))
    if len(distinct) <= _COLOURS:
        return colours
    again = {c: distinct[i % _COLOURS] for i, c in enumerate(distinct)}
    return {value: again[colour] for value, colour in colours.items()}
