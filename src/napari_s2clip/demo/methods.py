"""``python -m napari_s2clip.demo.methods``: every method on the same held-out scenes.

Prints the four tables of ``docs/methods.md``: what the methods are, which settings act
on which of them, where the authors' codes deviate, and the mean IoU of their coarse
maps, with no refinement.
"""

from __future__ import annotations

import argparse

from ..features.methods import METHODS, Method
from ..method_settings import SHARED
from ..settings import Settings
from .evaluate import Evaluation, evaluate
from .scenes import scenes

__all__ = ["deviation_rows", "difference_rows", "score_rows", "setting_rows"]


def difference_rows() -> list[str]:
    """Markdown rows: what each method does to the last blocks."""

    def yes(value: bool) -> str:
        return "yes" if value else ""

    def attention(method: Method) -> str:
        text = " + ".join(method.parts)
        if method.row_sum != len(method.parts) and len(method.parts) > 1:
            text = f"({text}) / {len(method.parts) / method.row_sum:g}"
        if method.neighbourhood is not None:
            text += f", Gaussian of {method.neighbourhood:g} patches"
        if method.cross_layers:
            text += ", middle blocks"
        return text

    def aggregation(method: Method) -> str:
        return "DINO, then SAM" if method.splice else "DINO" if method.proxy else ""

    return [
        (
            "| `method` | Name | Source | Attention | Keys with class token | "
            "Residual | Feed-forward | Blocks | Aggregation | Scores | Logit scale |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| `{m.name}` | {m.title} | {m.source} | {attention(m)} | "
            f"{yes(m.class_token)} | {yes(m.residual)} | {yes(m.feed_forward)} | "
            f"{m.blocks} | {aggregation(m)} | {m.scoring} | {m.logit_scale:g} |"
            for m in METHODS.values()
        ),
    ]


def setting_rows() -> list[str]:
    """Markdown rows: which settings act on which methods."""

    def code(names: tuple[str, ...]) -> str:
        return ", ".join(f"`{name}`" for name in names)

    return [
        "| Setting | Acts on |",
        "| --- | --- |",
        *(f"| {code(names)} | {code(methods)} |" for names, methods in SHARED),
    ]


def deviation_rows() -> list[str]:
    """Markdown rows: what the authors' codes do otherwise."""
    return [
        '| `method` | `Settings(variant="code")` |',
        "| --- | --- |",
        *(f"| `{m.name}` | {m.deviation} |" for m in METHODS.values() if m.deviation),
    ]


def score_rows(count: int, seed: int = 2024) -> list[str]:
    """Markdown rows: mean IoU of the coarse map of each method, best first."""
    from ..pipeline import S2CLIP

    model = S2CLIP.load("demo", device="cpu")
    found = {}
    for name in METHODS:
        evaluation = Evaluation()
        settings = Settings.model_validate({"method": name, "refine": False})
        for item in evaluate(
            model, scenes(count, seed=seed), settings=settings, compare=False
        ):
            evaluation.add(item)
        figures = evaluation.figures()
        found[name] = (figures["miou"]["coarse"], figures["time"]["encode"])
    best_first = sorted(found, key=lambda name: -found[name][0])
    return [
        "| `method` | mean IoU of the coarse map | ms to encode |",
        "| --- | --- | --- |",
        *(f"| `{n}` | {found[n][0]:.3f} | {found[n][1]:.0f} |" for n in best_first),
    ]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m napari_s2clip.demo.methods")
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2024)
    options = parser.parse_args()
    rows = [
        *difference_rows(),
        "",
        *setting_rows(),
        "",
        *deviation_rows(),
        "",
        *score_rows(options.scenes, options.seed),
    ]
    print("\n".join(rows))  # noqa: T201


if __name__ == "__main__":
    main()
