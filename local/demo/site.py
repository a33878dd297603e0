"""The files that the demo uploads: a folder of this machine, which it only reads."""

from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path

MIN_FILES = 4
MAX_FILES = 1_000

SHIPPED = Path(__file__).parents[1] / "site"


class SiteError(Exception):
    """The folder cannot serve as the demo's site."""


@dataclass(frozen=True, slots=True)
class Site:
    """Files by the keys that they shall have, and how many more there were."""

    files: dict[str, bytes]
    left_out: int


def read(folder: Path) -> Site:
    """
    Read the files of *folder*, at most 1,000 of them, hidden ones aside.

    Raises:
        SiteError: It is no folder, or has too few files to change some and leave some.
    """
    if not folder.is_dir():
        raise SiteError(f"{folder} is no folder; name one with SITE=…")
    keys = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _hidden(path.relative_to(folder))
    }
    if len(keys) < MIN_FILES:
        raise SiteError(f"{folder} has {len(keys)} files; the demo needs at least {MIN_FILES}")
    taken = list(keys)[:MAX_FILES]
    return Site({key: keys[key].read_bytes() for key in taken}, len(keys) - len(taken))


def content_type(key: str) -> str:
    """
    Return the type that S3 shall serve *key* with.

    >>> content_type("a/b.css"), content_type("LICENSE")
    ('text/css', 'application/octet-stream')
    """
    return guess_type(key)[0] or "application/octet-stream"


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
