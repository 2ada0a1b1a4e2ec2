"""What lies in a cache of the Hugging Face Hub's client."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..models.cards import ModelCard

__all__ = ["find_in_hub", "no_litter", "remove_from_hub", "repository_folder"]


def repository_folder(repository: str, folder: Path) -> Path:
    """Where the client keeps a repository, such as ``"timm/vit"``."""
    return folder / f"models--{repository.replace('/', '--')}"


def find_in_hub(card: ModelCard, folder: Path, filename: str = "") -> Path | None:
    """A file of a card's repository in a cache of the hub's client, if it is whole.

    The layout is documented by huggingface_hub; its own function for this takes half a
    second to import, and a window asks whenever it is opened.
    """
    if not card.repository:
        return None
    home = repository_folder(card.repository, folder)
    try:
        commit = (home / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    path = home / "snapshots" / commit / (filename or card.filename)
    return path if path.is_file() else None


def remove_from_hub(repository: str, folder: Path) -> int:
    """Delete all files of a repository; returns the bytes that were freed."""
    from huggingface_hub import scan_cache_dir

    about = scan_cache_dir(folder)
    commits = [
        revision.commit_hash
        for repo in about.repos
        if repo.repo_id == repository
        for revision in repo.revisions
    ]
    plan = about.delete_revisions(*commits)
    plan.execute()
    return plan.expected_freed_size


@contextlib.contextmanager
def no_litter(repository: str, folder: Path) -> Iterator[None]:
    """Delete what the client left of a download that failed, and never uses.

    Its newer versions give each unfinished file a name of its own; the older ones' are
    named by the checksum, and gone on with.
    """
    if not repository:
        yield
        return
    blobs = repository_folder(repository, folder) / "blobs"
    before = set(blobs.glob("*.incomplete"))
    try:
        yield
    except BaseException:
        for left in set(blobs.glob("*.incomplete")) - before:
            if not re.fullmatch(r"[0-9a-f]{40,64}\.incomplete", left.name):
                left.unlink(missing_ok=True)
        raise
