"""A file from a plain HTTPS server, taken up again where it broke off.

Bytes go into a file ``….part``; beside it lies what the server said of the file, so
that bytes of two versions are never joined. Runs in a process of its own, see `child`.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .errors import DownloadFailed, NotEnoughSpace, StoreError

if TYPE_CHECKING:
    import requests

__all__ = ["Event", "about_file", "fetch", "part_file"]

Event = Callable[..., None]
"""Called with the name of what happened, and its facts by keyword."""

ATTEMPTS: Final = 5
"""In a row, without a byte in between."""

_CHUNK = 1 << 20
_TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two bytes
_MIRROR = "put the file into its folder by hand (`napari-s2clip models path`)"


def part_file(target: Path) -> Path:
    """Where the bytes of an unfinished download lie."""
    return target.with_name(target.name + ".part")


def about_file(part: Path) -> Path:
    """Where it is kept what the server said of an unfinished download."""
    return part.with_name(part.name + ".json")


@dataclass
class _Broken(Exception):
    """An attempt failed, and another may do better."""

    reason: str
    remedy: str
    wait: float | None = None


def fetch(
    url: str,
    target: Path,
    *,
    on_event: Event,
    size: int = 0,
    pause: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Download a file beside ``target``.

    Parameters
    ----------
    url : str
    target : Path
        Not written; the whole bytes are at `part_file` of it.
    on_event : callable
        ``on_event("size", total=…)``, ``("bytes", done=…)``, and
        ``("wait", seconds=…, reason=…)`` before another attempt.
    size : int
        Bytes that the file must have; 0 if that is not known.
    pause : float
        Seconds before the second attempt; doubled for each further one.
    sleep : callable

    Returns
    -------
    Path
        The file that holds the bytes.

    Raises
    ------
    DownloadFailed, NotEnoughSpace
    """
    import requests

    part = part_file(target)
    part.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    with requests.Session() as session:
        _trust(session)
        while True:
            before = _length(part)
            try:
                _attempt(session, url, part, size, on_event)
            except _Broken as broken:
                failures = 1 if _length(part) > before else failures + 1
                if failures >= ATTEMPTS:
                    raise DownloadFailed(
                        target.name, broken.reason, broken.remedy, url
                    ) from None
                wait = (
                    pause * 2 ** (failures - 1) if broken.wait is None else broken.wait
                )
                on_event("wait", seconds=wait, reason=broken.reason)
                sleep(wait)
            except StoreError:  # an OSError too, but not one of the disk
                raise
            except requests.RequestException as error:
                raise DownloadFailed(target.name, str(error), _MIRROR, url) from None
            except OSError as error:
                raise _of_disk(error, target) from error
            else:
                return part


def _trust(session: requests.Session) -> None:
    """Also take the certificates that other programs are told of."""
    if not (os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")):
        own = os.environ.get("SSL_CERT_FILE")
        if own:
            session.verify = own


def _attempt(
    session: requests.Session, url: str, part: Path, size: int, on_event: Event
) -> None:
    import requests
    from urllib3.exceptions import HTTPError, ProtocolError

    about = about_file(part)
    done, known = _length(part), _read(about)
    if not known.get("validator") or known.get("url") != url:
        done = 0
    headers = {"Accept-Encoding": "identity"}
    if done:
        headers |= {"Range": f"bytes={done}-", "If-Range": known["validator"]}
    try:
        with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            if answer.status_code == 416:
                part.unlink(missing_ok=True)  # longer than the file: another one
                raise _Broken("the server has no such range", _MIRROR, 0.0)
            _check(answer, url, part)
            done = done if answer.status_code == 206 else 0
            total = done + int(answer.headers.get("Content-Length") or 0)
            if size and total not in {0, size}:
                raise DownloadFailed(
                    part.stem,
                    f"the server offers {total} bytes, not the {size} that were "
                    "published",
                    "a proxy or a login page may have answered; open the address in a "
                    "browser",
                    url,
                )
            _write(about, {"url": url, "validator": _validator(answer)})
            on_event("size", total=total or size)
            with part.open("r+b" if done else "wb") as stream:
                stream.truncate(done)
                stream.seek(done)
                # What has come so far, however little: slow servers must be seen to
                # be at work.
                while block := answer.raw.read1(_CHUNK):
                    stream.write(block)
                    done += len(block)
                    on_event("bytes", done=done)
            if total and done < total:
                raise _broken_off(done, total)
    except ProtocolError:
        raise _broken_off(done, total) from None
    except requests.exceptions.SSLError as error:
        raise DownloadFailed(
            part.stem,
            f"the certificate of the server is not trusted ({_short(error)})",
            "name your organisation's certificates in REQUESTS_CA_BUNDLE",
            url,
        ) from None
    except requests.exceptions.ProxyError as error:
        raise _Broken(
            f"the proxy failed ({_short(error)})", "look at HTTPS_PROXY"
        ) from None
    except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
        raise _Broken(
            f"the connection failed ({_short(error)})",
            "look at the network, or " + _MIRROR,
        ) from None


def _broken_off(done: int, total: int) -> _Broken:
    return _Broken(
        f"the connection broke off after {done} of {total} bytes",
        "try again, it goes on from there",
    )


def _check(answer: requests.Response, url: str, part: Path) -> None:
    """Refuse what is no part of the file."""
    code = answer.status_code
    if url.startswith("https:") and not answer.url.startswith("https:"):
        raise DownloadFailed(
            part.stem, f"it was redirected to {answer.url}, unencrypted", _MIRROR, url
        )
    if code in {200, 206}:
        return
    reason = f"the server answered {code} {answer.reason}".rstrip()
    if code in {408, 425, 429} or code >= 500:
        after = answer.headers.get("Retry-After", "")
        wait = min(float(after), 60.0) if after.isdigit() else None
        raise _Broken(reason, "try again later, or " + _MIRROR, wait)
    raise DownloadFailed(part.stem, reason, _MIRROR, url)


def _validator(answer: requests.Response) -> str:
    """What tells whether the file is still the same; empty if nothing does."""
    etag = answer.headers.get("ETag", "")
    strong = etag if not etag.startswith("W/") else ""
    return strong or answer.headers.get("Last-Modified", "")


def _of_disk(error: OSError, target: Path) -> StoreError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return NotEnoughSpace(
            target.name,
            f"the disk of {target.parent} is full",
            "free some space and try again, it goes on from there",
        )
    return DownloadFailed(
        target.name,
        f"{target.parent} cannot be written to ({error.strerror or error})",
        "choose another folder in NAPARI_S2CLIP_CACHE",
    )


def _short(error: BaseException) -> str:
    """The innermost cause, in a few words."""
    while True:
        inner = error.__cause__ or error.__context__
        for each in error.args:
            if isinstance(each, BaseException):
                inner = each
        reason = getattr(error, "reason", None)
        if isinstance(reason, BaseException):
            inner = reason
        if inner is None or inner is error:
            break
        error = inner
    text = " ".join(str(error).split())
    return (text[text.find(">: ") + 3 :] if ">: " in text else text)[:200]


def _length(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return 0


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
