"""Weight files on this computer: find, download, check, remove.

Only `WeightStore.download` opens a network connection, and only when it is called.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ..progress import CancelToken
from . import places
from .errors import ChecksumMismatch, Offline, StoreError
from .https import about_file, part_file
from .hub_cache import find_in_hub, no_litter, remove_from_hub
from .lock import download_lock
from .records import Records, sha256
from .transfer import Transfer, TransferCallback, transfer

if TYPE_CHECKING:
    from ..models.cards import ModelCard

__all__ = ["BUILT_IN", "CardState", "Verdict", "WeightStore"]

BUILT_IN: Final = Path(__file__).resolve().parent.parent / "demo" / "weights"
"""Folder of the weights that ship inside the package."""

Verdict = Literal["good", "damaged", "missing", "unverified"]


@dataclass(frozen=True)
class CardState:
    """What is on this computer of a model.

    Attributes
    ----------
    path : Path or None
        The whole file, if it is here.
    size : int
        Its bytes; if it is not here, those of a download that was broken off.
    sha256 : str
        What the file is held to: published or recorded; empty if neither.
    published : bool
        Whether that checksum is published.
    """

    path: Path | None
    size: int
    sha256: str
    published: bool

    @property
    def installed(self) -> bool:
        """Whether the whole file is here."""
        return self.path is not None


class WeightStore:
    """The weight files of one user.

    Parameters
    ----------
    folder : path, optional
        Chosen by the user; the hub's files then lie in there too. If not given, see
        `places.cache_folder` and `places.hub_folder`.
    offline : bool, optional
        Whether `download` refuses; if not given, see `places.is_offline`.

    Examples
    --------
    >>> store = WeightStore()
    >>> store.download(CARDS["sam-b"], progress=print)
    """

    def __init__(
        self, folder: Path | str | None = None, *, offline: bool | None = None
    ) -> None:
        self._chosen = Path(folder).expanduser() if folder else None
        self._offline = offline

    @property
    def folder(self) -> Path:
        """Where files that are not the hub's lie."""
        return self._chosen or places.cache_folder()

    @property
    def offline(self) -> bool:
        """Whether the network may not be used."""
        return places.is_offline() if self._offline is None else self._offline

    @property
    def records(self) -> Records:
        """Checksums of the files."""
        return Records(self.folder / "checksums.json")

    def home(self, card: ModelCard) -> Path:
        """The path at which a file that was put there by hand is found."""
        return self.folder / card.folder / card.filename

    def find(self, card: ModelCard) -> Path | None:
        """The whole weight file of a card; None if it is not on this computer."""
        if card.path is not None:
            return card.path if card.path.is_file() else None
        if card.built_in:
            path = BUILT_IN / card.filename
            return path if path.is_file() else None
        own = self.home(card)
        if own.is_file():
            return own
        hubs = (places.hub_folder(self._chosen), places.shared_hub_folder())
        found = (find_in_hub(card, folder) for folder in hubs)
        return next((path for path in found if path is not None), None)

    def state(self, card: ModelCard) -> CardState:
        """What is on this computer of a card."""
        path = self.find(card)
        expected = card.sha256 or self.records.expected(card.file_key)
        size = _size(path) if path is not None else None
        if size is None:  # or it was removed just now
            path, size = None, _size(part_file(self.home(card))) or 0
        return CardState(path, size, expected, bool(card.sha256))

    def check(self, card: ModelCard, path: Path) -> str:
        """The SHA-256 of a card's file, before it is used.

        A file that has not changed since it was last read is not read again. One
        without a published checksum is held to that of its first use.

        Raises
        ------
        ChecksumMismatch
            If it is not what was published or recorded.
        """
        # Those of the package are small, and its folder may be anybody's.
        found = sha256(path) if card.built_in else self.records.checksum(path)
        self._hold(card, path, found)
        return found

    def download(
        self,
        card: ModelCard,
        *,
        progress: TransferCallback | None = None,
        cancel: CancelToken | None = None,
        pause: float = 1.0,
    ) -> Path:
        """The weight file of a card, downloaded unless it is here.

        Two processes that want the same file download it once. An unfinished download
        is taken up where it broke off.

        Parameters
        ----------
        card : ModelCard
        progress : callable, optional
            Called with a `Transfer`.
        cancel : CancelToken, optional
        pause : float
            Seconds before the second attempt; doubled for each further one.

        Raises
        ------
        StoreError
            The message names the file, the address, the reason and what to do.
        Cancelled
        """
        cancel = cancel or CancelToken()
        found = self.find(card)
        if found is not None:
            return found
        if card.path is not None:
            raise StoreError(
                str(card.path),
                f"the file of {card.title} is not there",
                "put it there, or change its path in models.toml",
            )
        if not card.can_be_downloaded:
            raise StoreError(
                card.filename,
                f"nothing is known of where {card.title} is published",
                f"put it into {self.home(card).parent}, or name its path in a card of "
                "your own (`napari-s2clip models add`)",
            )
        if self.offline:
            raise Offline(
                card.filename,
                "the network may not be used",
                f"unset NAPARI_S2CLIP_OFFLINE and HF_HUB_OFFLINE, or put the file into "
                f"{self.home(card).parent}",
                card.source,
            )
        with download_lock(self.folder, card.file_key, card, progress, cancel):
            found = self.find(card)  # by another process, meanwhile
            if found is not None:
                return found
            return self._bring(card, progress, cancel, pause)

    def verify(
        self,
        card: ModelCard,
        *,
        progress: TransferCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> Verdict:
        """Read a card's file through and compare it with its checksum.

        Returns
        -------
        {"good", "damaged", "missing", "unverified"}
            Unverified: nothing was known to compare it with; its checksum is recorded
            now.
        """
        path = self.find(card)
        if path is None:
            return "missing"
        cancel = cancel or CancelToken()

        def on_bytes(done: int, total: int) -> None:
            cancel.raise_if_cancelled()
            if progress is not None:
                progress(Transfer(card.title, "checking", done, total))

        known = self.state(card).sha256
        found = self.records.measure(path, on_bytes)
        if known:
            return "good" if found == known else "damaged"
        self.records.expect(card.file_key, found)
        return "unverified"

    def remove(self, card: ModelCard) -> int:
        """Delete a card's file and what is left of unfinished downloads.

        The files of the user's own and of the package stay.

        Returns
        -------
        int
            Bytes that were freed.

        Raises
        ------
        StoreError
            If the file is not this store's to delete.
        """
        if card.built_in or card.path is not None:
            whose = "is part of the package" if card.built_in else "is your own file"
            raise StoreError(
                card.filename,
                f"it {whose}",
                "nothing was deleted",
                str(card.path or ""),
            )
        freed, own = 0, self.home(card)
        found = self.find(card)
        part = part_file(own)
        for path in (own, part, about_file(part)):
            with contextlib.suppress(FileNotFoundError):
                size = path.stat().st_size
                path.unlink()
                freed += size
        hub = places.hub_folder(self._chosen)
        if find_in_hub(card, hub) is not None:
            freed += remove_from_hub(card.repository, hub)
        self.records.forget(card.file_key, found)
        left = self.find(card)
        if left is not None:
            raise StoreError(
                str(left),
                "it is in the hub's own cache, which other programs share",
                "delete it there with `hf cache` if none needs it",
            )
        return freed

    def _bring(
        self,
        card: ModelCard,
        progress: TransferCallback | None,
        cancel: CancelToken,
        pause: float,
    ) -> Path:
        own = self.home(card)
        target = own if card.url else places.hub_folder(self._chosen)
        with no_litter(card.repository, target):
            path, told = transfer(
                card, target, progress=progress, cancel=cancel, pause=pause
            )

        def on_bytes(done: int, total: int) -> None:
            if progress is not None:
                progress(Transfer(card.title, "checking", done, total))

        found = sha256(path, on_bytes)
        expected = card.sha256 or told or self.records.expected(card.file_key)
        if expected and found != expected:
            self._discard(card, path)
            raise ChecksumMismatch(
                card.filename,
                f"its SHA-256 is {found}, not {expected}",
                "it was deleted; try again, and if that does not help, look at the "
                "proxy or mirror",
                card.source,
            )
        if card.url:
            about_file(path).unlink(missing_ok=True)
            path = path.replace(own)
        self.records.keep(path, found)
        self.records.expect(card.file_key, found)
        return path

    def _discard(self, card: ModelCard, path: Path) -> None:
        if card.url:
            path.unlink(missing_ok=True)
            about_file(path).unlink(missing_ok=True)
        else:
            remove_from_hub(card.repository, places.hub_folder(self._chosen))

    def _hold(self, card: ModelCard, path: Path, found: str) -> None:
        expected = card.sha256 or self.records.expected(card.file_key)
        if not expected:
            self.records.expect(card.file_key, found)
        elif found != expected:
            known = "published" if card.sha256 else "recorded when it was first used"
            repair = (
                f"bring it again by `napari-s2clip models verify --repair {card.name}`"
            )
            raise ChecksumMismatch(
                str(path),
                f"its SHA-256 is {found}, not {expected}, which was {known}",
                "reinstall napari-s2clip" if card.built_in else repair,
                card.source,
            )


def _size(path: Path) -> int | None:
    """Bytes of a file; None if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
