"""Files change in S3, and exactly their cached copies go away."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus

from local.demo import outside, site
from local.demo.claims import Claims
from local.demo.narration import Narrator
from local.demo.outside import Cloud, Invalidation
from local.demo.viewer import Seen, Viewer, path_of

_FIVE_MINUTES_S = 300.0
_ALBUMS = 10
_PHOTOS = 50
_MAX_WAIT_S = 60
_MISSING = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


def play(cloud: Cloud, files: dict[str, bytes], narrator: Narrator, claims: Claims) -> None:
    """Publish *files*, change some of them, and replace many pictures at once."""
    viewer = Viewer(cloud.world.edge_url, cloud.domain_name)
    stage = Stage(cloud, viewer, narrator, claims)
    stage.publish(files)
    stage.change(Edit.of(files))
    stage.burst()


@dataclass(frozen=True, slots=True)
class Edit:
    """What happens to the site: *before* it, what is *new*, *deleted* and *untouched*."""

    before: dict[str, bytes]
    new: dict[str, bytes]
    deleted: str
    untouched: tuple[str, ...]

    @classmethod
    def of(cls, files: dict[str, bytes]) -> Edit:
        """Change two pages, add one, delete one, and leave the others."""
        # CloudFront cannot invalidate `~`, nor a last `*` alone: those files stay untouched.
        keys = sorted(files, key=lambda key: (bool({*"~*"} & {*key}), ".html" not in key, key))
        new = {key: files[key] + b"\n<!-- changed -->\n" for key in keys[:2]}
        added = next(key for n in range(len(files) + 1) if (key := f"added-{n}.html") not in files)
        new[added] = b"<!doctype html><title>Added today</title>\n"
        return cls(files, new, keys[2], tuple(keys[3:]))

    @property
    def gone(self) -> tuple[str, ...]:
        """Return every key of which the edge has an outdated copy."""
        return (*self.new, self.deleted)

    def is_old(self, key: str, seen: Seen) -> bool:
        """Return whether *seen* is what *key* was before."""
        if key in self.before:
            return seen.body == self.before[key]
        return seen.status in _MISSING


@dataclass(frozen=True, slots=True)
class Stage:
    """A site in the cloud, a viewer, and a narrator."""

    cloud: Cloud
    viewer: Viewer
    narrator: Narrator
    claims: Claims

    def publish(self, files: dict[str, bytes]) -> None:
        say = self.narrator.say
        say(f"{len(files)} files are uploaded to the bucket {self.cloud.bucket!r}.")
        self._upload(files)
        sent = self._settle()
        say(f"The suite asked CloudFront for {_listed(sent)}")
        self._fetch("Viewers come", files)
        say(f"Viewers came: the edge now has copies of all {len(files)} files.")

    def change(self, edit: Edit) -> None:
        say, cloud = self.narrator.say, self.cloud
        added = next(key for key in edit.new if key not in edit.before)
        changed = [key for key in edit.new if key in edit.before]
        self.viewer.get(path_of(added))  # so that the edge remembers its absence
        self.narrator.line()
        say(f"Changed: {', '.join(changed)}. Added: {added}. Deleted: {edit.deleted}.")
        earlier_count = len(cloud.invalidations())
        self._upload(edit.new)
        cloud.delete(edit.deleted)

        with self.narrator.busy("The suite reacts"):
            cloud.world.run(
                until=lambda: len(cloud.invalidations()) > earlier_count, limit_s=_FIVE_MINUTES_S
            )
        invalidations = cloud.invalidations()[earlier_count:]
        say(f"The suite asked CloudFront for {_listed(invalidations)}")
        stale = self._fetch("Viewers come", edit.gone)
        olds = sum(edit.is_old(key, seen) for key, seen in stale.items())
        say(f"It is {_statuses(invalidations)}: {olds} of {len(stale)} pages still come back old.")

        with self.narrator.busy("The suite watches"):
            cloud.world.run(until=lambda: cloud.announced(invalidations), limit_s=_FIVE_MINUTES_S)
        done = cloud.invalidations()[earlier_count:]
        polls = self._polls(invalidations)
        say(f"It is {_statuses(done)}; the suite polled it {polls}, and announced it.")
        fresh = self._fetch("Viewers return", edit.gone)
        kept = self._fetch("Viewers return", edit.untouched)
        self._settle()
        say(
            f"One event at a time: {_many(len(edit.gone), 'call')}. "
            f"This way: {_many(len(done), 'call')} of {_many(outside.item_count(done), 'item')}"
            + (" (/ shows index.html, so it goes too)." if outside.covered(done, "/") else ".")
        )
        self._check_items(edit, done)
        self.claims.check(
            "stale-before-fresh-after",
            "Old copies came back while the invalidation was in progress, and new ones once it was "
            "completed.",
            against={
                "it was in progress": {invalidation.status for invalidation in invalidations}
                == {"InProgress"},
                "it was completed": {invalidation.status for invalidation in done} == {"Completed"},
                **{f"{key} was old": edit.is_old(key, stale[key]) for key in edit.new},
                **{f"{key} is new": fresh[key].body == body for key, body in edit.new.items()},
            },
        )
        self._check_others(edit, stale[edit.deleted], fresh[edit.deleted], kept)
        self._check_announcements()

    def burst(self) -> None:
        say, cloud = self.narrator.say, self.cloud
        covers = [f"album-{album:02}/cover.jpg" for album in range(_ALBUMS)]
        photos = [
            f"album-{album:02}/photo-{photo:02}.jpg"
            for album in range(_ALBUMS)
            for photo in range(_PHOTOS)
        ]
        self.narrator.line()
        say(f"{len(covers) + len(photos)} pictures in {_ALBUMS} albums are uploaded.")
        self._upload(dict.fromkeys([*covers, *photos], b"first"))
        self._settle()
        self._fetch("Viewers come", [*covers, *photos])
        earlier_count = len(cloud.invalidations())
        began = cloud.world.virtual_time.now()
        say(f"Viewers saw them all. Now {len(photos)} of them are replaced at once.")
        self._upload(dict.fromkeys(photos, b"second"))
        took_s = cloud.world.virtual_time.now() - began
        self._settle()
        sent = cloud.invalidations()[earlier_count:]
        say(f"The suite asked CloudFront for {_listed(sent)}")
        items = outside.item_count(sent)
        each, ours = len(photos) * outside.ITEM_PRICE_USD, items * outside.ITEM_PRICE_USD
        say(
            f"One event at a time: {_many(len(photos), 'call')}, "
            f"{_many(len(photos), 'item')}, ${each:.2f}. "
            f"This way: {_many(len(sent), 'call')}, {_many(items, 'item')}, ${ours:.2f} "
            "(once the month's first 1,000 free items are used up)."
        )
        seen = self._fetch("Viewers return", photos)
        kept = self._fetch("Viewers return", covers)
        most = 2 + int(took_s // _MAX_WAIT_S)
        self.claims.check(
            "burst-coalesced",
            f"{len(photos)} uploads at once became at most {most} calls, and none was lost.",
            against={
                f"{_many(len(sent), 'call')}, at most {most}": 1 <= len(sent) <= most,
                "every replaced picture is new": all(
                    response.body == b"second" for response in seen.values()
                ),
                "every cover stayed cached": all(response.from_cache for response in kept.values()),
            },
        )

    def _check_items(self, edit: Edit, done: list[Invalidation]) -> None:
        named = {key: outside.covered(done, path_of(key)) for key in edit.before | edit.new}
        self.claims.check(
            "upload-invalidates",
            "CloudFront's own list names every path that an upload changed, and no other.",
            against={
                **{f"{key} is named": named[key] for key in edit.new},
                **{f"{key} is not named": not named[key] for key in edit.untouched},
            },
        )

    def _check_others(self, edit: Edit, was: Seen, deleted: Seen, kept: dict[str, Seen]) -> None:
        self.claims.check(
            "delete-invalidates",
            "A deleted file is gone from the edge too.",
            against={
                f"{edit.deleted} was still served": was.status == HTTPStatus.OK,
                f"{edit.deleted} is gone": deleted.status in _MISSING,
            },
        )
        self.claims.check(
            "untouched-stay-cached",
            "What did not change never left the cache.",
            against={f"{key} came from the cache": seen.from_cache for key, seen in kept.items()},
        )

    def _check_announcements(self) -> None:
        announcements = self.cloud.announcements()
        ends = [event["detail"]["watch_id"].rpartition("/")[2] for event in announcements]
        ended = [
            invalidation.id
            for invalidation in self.cloud.invalidations()
            if invalidation.status == "Completed"
        ]
        self.claims.check(
            "watch-announced-once",
            "The end of each invalidation was announced once on the event bus.",
            against={
                **{f"{id_} was announced once": ends.count(id_) == 1 for id_ in ended},
                "nothing else was announced": sorted(ends) == sorted(ended),
                "each as completed": all(
                    event["detail-type"] == "Invalidation Completed" for event in announcements
                ),
            },
        )

    def _upload(self, files: dict[str, bytes]) -> None:
        for key in self.narrator.track(files, doing="Uploading", count=len(files)):
            self.cloud.put(key, files[key], content_type=site.content_type(key))

    def _settle(self) -> list[Invalidation]:
        with self.narrator.busy("The suite reacts"):
            self.cloud.world.settle(limit_s=_FIVE_MINUTES_S)
        return self.cloud.invalidations()

    def _fetch(self, doing: str, keys: Collection[str]) -> dict[str, Seen]:
        tracked = self.narrator.track(keys, doing=doing, count=len(keys))
        return {key: self.viewer.get(path_of(key)) for key in tracked}

    def _polls(self, invalidations: list[Invalidation]) -> str:
        now = self.cloud.world.virtual_time.now()
        began = min((invalidation.created_at for invalidation in invalidations), default=now)
        after = [
            f"{invocation.began_at - began:.0f} s"
            for invocation in self.cloud.world.invocations
            if invocation.function == "poll_watches" and invocation.began_at > began
        ]
        return f"{_many(len(after), 'time')} ({', '.join(after) or 'never'} after asking)"


def _listed(sent: list[Invalidation]) -> str:
    items = [item for invalidation in sent for item in invalidation.items]
    more = f" … and {len(items) - 5} more" if len(items) > len(items[:5]) else ""
    return f"{_many(len(sent), 'invalidation')}: {' '.join(items[:5])}{more}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _statuses(sent: list[Invalidation]) -> str:
    return " and ".join(sorted({invalidation.status for invalidation in sent}))
