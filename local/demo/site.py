"""The files that the demo uploads: a folder of this machine, which it only reads."""

from itertools import islice
from mimetypes import guess_type
from pathlib import Path

FEWEST_FILES = 4
MOST_FILES = 1_000

SHIPPED = Path(__file__).parents[1] / "site"


class SiteError(Exception):
    """The folder cannot serve as the demo's site."""


def read(folder: Path) -> dict[str, bytes]:
    """
    Read the files of *folder* by the keys that they shall have, at most 1,000 of them.

    Raises:
        SiteError: It is no folder, or has too few files to change some and leave some.
    """
    if not folder.is_dir():
        raise SiteError(f"{folder} is no folder; name one with SITE=…")
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder)
    )
    if len(files) < FEWEST_FILES:
        raise SiteError(f"{folder} has {len(files)} files; the demo needs at least {FEWEST_FILES}")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in islice(files, MOST_FILES)
    }


def content_type(key: str) -> str:
    """
    Tell the type that S3 shall serve *key* with.

    >>> content_type("a/b.css"), content_type("LICENSE")
    ('text/css', 'application/octet-stream')
    """
    return guess_type(key)[0] or "application/octet-stream"


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
