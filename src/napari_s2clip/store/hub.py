"""A file from the Hugging Face Hub, by its own client, into its own cache.

The client resumes, places files in one step and follows ``HF_ENDPOINT``, ``HF_HOME``,
``HF_TOKEN`` and proxies. Runs in a process of its own, see `child`: the client's older
versions neither report to a caller nor can be stopped.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import DownloadFailed, NotEnoughSpace
from .https import ATTEMPTS, Event
from .hub_cache import repository_folder

__all__ = ["fetch_from_hub"]

_POLL = 0.2  # seconds


def fetch_from_hub(
    repository: str,
    filename: str,
    folder: Path,
    *,
    on_event: Event,
    companions: tuple[str, ...] = (),
    pause: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Path, str]:
    """Download a file of a repository, and its small companions, if there are any.

    Parameters
    ----------
    repository, filename : str
    folder : Path
        A cache of the hub's client.
    on_event : callable
        See `https.fetch`.
    companions : tuple of str
        Files that may be missing.
    pause : float
        Seconds before the second attempt; doubled for each further one.
    sleep : callable

    Returns
    -------
    path : Path
    sha256 : str
        What the hub says of the file; empty if it says nothing.

    Raises
    ------
    DownloadFailed, NotEnoughSpace
    """
    from huggingface_hub import hf_hub_url

    url = hf_hub_url(repository, filename)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt(repository, filename, folder, on_event, companions, url)
        except Exception as error:  # noqa: BLE001
            # Two generations of the client raise errors of two HTTP libraries.
            wait = pause * 2 ** (attempt - 1)
            problem = _explain(error, filename, url, folder)
            if attempt == ATTEMPTS or not _may_pass(error):
                raise problem from None
            on_event("wait", seconds=wait, reason=problem.reason)
            sleep(wait)
    raise AssertionError("unreachable")


def _attempt(
    repository: str,
    filename: str,
    folder: Path,
    on_event: Event,
    companions: tuple[str, ...],
    url: str,
) -> tuple[Path, str]:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download

    about = get_hf_file_metadata(url)
    on_event("size", total=about.size or 0)
    with _watching(repository_folder(repository, folder), on_event):
        path = Path(hf_hub_download(repository, filename, cache_dir=folder))
    for name in companions:
        try:
            hf_hub_download(repository, name, cache_dir=folder)
        except Exception as error:
            if _status(error) != 404:
                raise
    etag = (about.etag or "").strip('"').removeprefix("sha256:")
    return path, etag if len(etag) == 64 else ""


@contextmanager
def _watching(home: Path, on_event: Event) -> Iterator[None]:
    """Tell how long the unfinished file is."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_POLL):
            sizes = []
            for part in home.glob("blobs/*.incomplete"):
                try:
                    sizes.append(part.stat().st_size)
                except OSError:  # just finished
                    continue
            if sizes:
                on_event("bytes", done=max(sizes))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__


def _status(error: BaseException) -> int:
    """The HTTP status behind an error; 0 if there is none."""
    for each in _chain(error):
        answer: Any = getattr(each, "response", None)
        code = getattr(answer, "status_code", 0)
        if code:
            return int(code)
    return 0


def _may_pass(error: BaseException) -> bool:
    """Whether another attempt may do better."""
    code = _status(error)
    if code:
        return code in {408, 425, 429} or code >= 500
    return not any(_is_final(each) for each in _chain(error))


def _is_final(error: BaseException) -> bool:
    name = type(error).__name__
    return (
        name in {"SSLError", "SSLCertVerificationError", "OfflineModeIsEnabled"}
        or isinstance(error, (ValueError, PermissionError))
        or getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
        or "CERTIFICATE_VERIFY_FAILED" in str(error)
    )


def _explain(
    error: BaseException, filename: str, url: str, folder: Path
) -> DownloadFailed | NotEnoughSpace:
    by_hand = "put the file into its folder by hand (`napari-s2clip models path`)"
    causes = list(_chain(error))
    if any(getattr(e, "errno", None) in {errno.ENOSPC, errno.EDQUOT} for e in causes):
        return NotEnoughSpace(
            filename,
            f"the disk of {folder} is full",
            "free some space and try again, it goes on from there",
        )
    code = _status(error)
    last = " ".join(str(causes[-1]).split())[:200] or type(causes[-1]).__name__
    if code in {401, 403}:
        return DownloadFailed(
            filename,
            f"the hub answered {code}: it may only be had with an account",
            "log in with `hf auth login`, or " + by_hand,
            url,
        )
    if code == 404:
        return DownloadFailed(filename, "the hub answered 404 Not Found", by_hand, url)
    if code:
        reason = f"the hub answered {code}"
        return DownloadFailed(filename, reason, f"try again later, or {by_hand}", url)
    if any("CERTIFICATE_VERIFY_FAILED" in str(e) for e in causes):
        return DownloadFailed(
            filename,
            "the certificate of the server is not trusted",
            "name your organisation's certificates in SSL_CERT_FILE and "
            "REQUESTS_CA_BUNDLE",
            url,
        )
    return DownloadFailed(
        filename,
        f"the connection failed ({last})",
        f"look at the network, HTTPS_PROXY and HF_ENDPOINT, or {by_hand}",
        url,
    )
