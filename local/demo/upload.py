"""Chapter one: files change in S3, and exactly their cached copies go away."""

from __future__ import annotations

from dataclasses import dataclass

from local.demo import outside, site
from local.demo.claims import Claims
from local.demo.narration import Narrator
from local.demo.outside import Cloud, Invalidation
from local.demo.viewer import Seen, Viewer, path_of

_FIVE_MINUTES_S = 300.0
_BURST_ALBUMS = 10
_BURST_PHOTOS = 50
_LONGEST_WAIT_S = 60


def play(cloud: Cloud, files: dict[str, bytes], narrator: Narrator, claims: Claims) -> None:
    """Publish *files*, change some of them, and replace many at once."""
    viewer = Viewer(cloud.world.edge_url, cloud.domain_name)
    stage = _Stage(cloud, viewer, narrator, claims)
    stage.publish(files)
    stage.change(files)
    stage.burst()


@dataclass(frozen=True, slots=True)
class _Stage:
    """A site in the cloud, somebody who looks at it, and who tells of it."""

    cloud: Cloud
    viewer: Viewer
    narrator: Narrator
    claims: Claims

    def publish(self, files: dict[str, bytes]) -> None:
        say = self.narrator.say
        say(f"{len(files)} files go to the bucket {self.cloud.bucket!r} …")
        self._upload(files)
        with self.narrator.busy("The suite reacts"):
            self.cloud.world.settle(limit_s=_FIVE_MINUTES_S)
        sent = self.cloud.invalidations()
        say(f"The suite sent {_count(sent)}: {_shown(sent)}")
        for key in self.narrator.track(files, doing="Viewers come", count=len(files)):
            self.viewer.get(path_of(key))
        say(f"Viewers came: the edge now has copies of all {len(files)} files.")

    def change(self, files: dict[str, bytes]) -> None:
        say, cloud = self.narrator.say, self.cloud
        before = len(cloud.invalidations())
        keys = sorted(files, key=lambda key: (not key.endswith(".html"), key))
        changed, deleted, untouched = keys[:2], keys[2], keys[3:]
        added = f"{keys[0].rpartition('/')[0]}/added-today.html".lstrip("/")
        new = {key: files[key] + b"\n<!-- changed -->\n" for key in changed}
        new[added] = b"<!doctype html><title>Added today</title>\n"
        self.viewer.get(path_of(added))  # so that the edge remembers its absence

        self.narrator.line()
        say(f"Changed: {', '.join(changed)} · added: {added} · deleted: {deleted}")
        self._upload(new)
        cloud.delete(deleted)

        with self.narrator.busy("The suite reacts"):
            cloud.world.run(
                until=lambda: len(cloud.invalidations()) > before, limit_s=_FIVE_MINUTES_S
            )
        sent = cloud.invalidations()[before:]
        say(f"CloudFront was asked for {_count(sent)}: {_shown(sent)}")
        stale = {key: self.viewer.get(path_of(key)) for key in (*new, deleted)}
        say(f"Its state is {_statuses(sent)}: {_stale(stale, files)} old copies still come back.")
        in_progress = bool(sent) and all(one.status == "InProgress" for one in sent)

        with self.narrator.busy("The suite watches"):
            cloud.world.run(until=lambda: cloud.announced(sent), limit_s=_FIVE_MINUTES_S)
            cloud.world.settle(limit_s=_FIVE_MINUTES_S)
        told = [told for told in cloud.announcements() if told["detail"]["outcome"]]
        after = cloud.invalidations()[before:]
        say(f"Announced: {told[-1]['detail-type'] if told else 'nothing'}. Looks of the watch:")
        self._show_looks()
        fresh = {key: self.viewer.get(path_of(key)) for key in (*new, deleted)}
        kept = {key: self.viewer.get(path_of(key)) for key in untouched}
        one_each = len(new) + 1
        say(
            f"One event at a time this had been {one_each} calls and {one_each} items; "
            f"it was {len(after)} call{'s'[: len(after) != 1]} and {_items(after)} items."
        )

        check = self.claims.check
        check(
            "upload-invalidates",
            "CloudFront's own list names every path that an upload changed, and no other.",
            against={path_of(key): any(one.covers(path_of(key)) for one in after) for key in new}
            | {
                f"{path_of(key)} is not named": not any(one.covers(path_of(key)) for one in after)
                for key in untouched
            },
        )
        check(
            "stale-before-fresh-after",
            "Old copies came back while the invalidation was in progress, new ones after its end.",
            against={
                "the invalidation was in progress": in_progress,
                "it is completed": all(one.status == "Completed" for one in after),
            }
            | {f"{key} was old": stale[key].body == files[key] for key in changed}
            | {f"{added} was missing": stale[added].status in {403, 404}}
            | {f"{key} is new": fresh[key].body == new[key] for key in new},
        )
        check(
            "delete-invalidates",
            "A deleted file is gone from the edge too.",
            against={
                f"{deleted} was still served": stale[deleted].status == 200,
                f"{deleted} is refused": fresh[deleted].status in {403, 404},
            },
        )
        check(
            "untouched-stay-cached",
            "What did not change was never fetched from the bucket again.",
            against={f"{key} came from the cache": kept[key].from_cache for key in untouched},
        )
        self._check_announcements()

    def burst(self) -> None:
        say, cloud = self.narrator.say, self.cloud
        covers = {f"album-{album:02}/cover.jpg": b"cover" for album in range(_BURST_ALBUMS)}
        photos = [
            f"album-{album:02}/photo-{photo:02}.jpg"
            for album in range(_BURST_ALBUMS)
            for photo in range(_BURST_PHOTOS)
        ]
        self.narrator.line()
        say(f"{len(photos) + len(covers)} pictures are published, and viewers look at them all.")
        self._upload(covers | dict.fromkeys(photos, b"first"))
        with self.narrator.busy("The suite reacts"):
            cloud.world.settle(limit_s=_FIVE_MINUTES_S)
        for key in self.narrator.track(
            [*covers, *photos], doing="Viewers come", count=len(photos) + len(covers)
        ):
            self.viewer.get(path_of(key))

        before = len(cloud.invalidations())
        began = cloud.world.clock.now()
        say(f"{len(photos)} of them are replaced at once.")
        self._upload(dict.fromkeys(photos, b"second"))
        took_s = cloud.world.clock.now() - began
        with self.narrator.busy("The suite reacts"):
            cloud.world.settle(limit_s=_FIVE_MINUTES_S)
        sent = cloud.invalidations()[before:]
        say(f"The suite sent {_count(sent)}: {_shown(sent)}")
        each, ours = len(photos) * outside.ITEM_PRICE_USD, _items(sent) * outside.ITEM_PRICE_USD
        say(
            f"One event at a time: {len(photos)} calls, {len(photos)} items, ${each:.2f}. "
            f"This way: {len(sent)} calls, {_items(sent)} items, ${ours:.2f}. "
            "(The first 1,000 items of a month are free.)"
        )
        seen = {
            key: self.viewer.get(path_of(key))
            for key in self.narrator.track(photos, doing="Viewers return", count=len(photos))
        }
        kept = {key: self.viewer.get(path_of(key)) for key in covers}
        most = 2 + int(took_s // _LONGEST_WAIT_S)
        self.claims.check(
            "burst-coalesced",
            f"{len(photos)} uploads at once were at most {most} calls, and nothing was lost.",
            against={
                f"{len(sent)} calls are at most {most}": 1 <= len(sent) <= most,
                "every replaced picture is new": all(
                    one.body == b"second" for one in seen.values()
                ),
                "every cover stayed cached": all(one.from_cache for one in kept.values()),
            },
        )

    def _upload(self, files: dict[str, bytes]) -> None:
        for key in self.narrator.track(files, doing="Uploading", count=len(files)):
            self.cloud.put(key, files[key], content_type=site.content_type(key))

    def _show_looks(self) -> None:
        looks = [
            one for one in self.cloud.world.invocations if one.function == "watch_deployment"
        ]
        self.narrator.table(
            ["look", "after"],
            [[str(number), f"{look.began_at:.0f}"] for number, look in enumerate(looks, 1)],
        )

    def _check_announcements(self) -> None:
        told = self.cloud.announcements()
        ended = [one for one in self.cloud.invalidations() if one.status == "Completed"]
        ids = [one["detail"]["id"] for one in told]
        self.claims.check(
            "watch-announced-once",
            "The end of each invalidation was announced once on the event bus, after it came.",
            against={
                f"{one.id} was announced once": 1
                == sum(one.id in announcement_id for announcement_id in ids)
                for one in ended
            }
            | {
                "nothing else was announced": len(ids) == len(ended),
                "each says so": {"Invalidation Completed"} == {one["detail-type"] for one in told},
            },
        )


def _items(sent: list[Invalidation]) -> int:
    return sum(len(one.items) for one in sent)


def _count(sent: list[Invalidation]) -> str:
    return f"{len(sent)} invalidation{'s'[: len(sent) != 1]} of {_items(sent)} items"


def _shown(sent: list[Invalidation]) -> str:
    items = [item for one in sent for item in one.items]
    return " ".join(items[:6]) + (f" and {len(items) - 6} more" if len(items) > 6 else "")


def _statuses(sent: list[Invalidation]) -> str:
    return " and ".join(sorted({one.status for one in sent}))


def _stale(seen: dict[str, Seen], files: dict[str, bytes]) -> int:
    return sum(one.body == files.get(key) for key, one in seen.items())
