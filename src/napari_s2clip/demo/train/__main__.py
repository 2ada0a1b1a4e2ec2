"""Command line of the recipes."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import torch


def main() -> None:
    """Train one demo model."""
    parser = argparse.ArgumentParser(prog="python -m napari_s2clip.demo.train")
    parser.add_argument("model", choices=("clip", "dino", "sam"))
    parser.add_argument("--out", type=Path, default=Path("build/demo-weights"))
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--learning-rate", type=float, help="instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="folder of weights to go on from")
    parser.add_argument("--threads", type=int, help="CPU threads")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe_module = import_module(f".{options.model}", __package__)
    recipe = replace(recipe_module.RECIPE, seed=options.seed)
    if options.steps:
        recipe = replace(recipe, steps=options.steps)
    if options.learning_rate:
        recipe = replace(recipe, learning_rate=options.learning_rate)
    recipe_module.train(options.out, recipe, options.start)


if __name__ == "__main__":
    main()
