"""Awkward keys, several distributions, and all that goes wrong between S3 and CloudFront."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from random import Random
from typing import Any
from urllib.parse import quote

import ada_url

from local.demo import outside
from local.demo.claims import Claims
from local.demo.narration import Narrator
from local.demo.outside import Cloud, Invalidation
from local.demo.viewer import Viewer, path_of
from local.faults import Does, Rule
from local.pollers import Delivery

_LONG_S = 1_800.0
_UNCHANGED = "/nasty/unchanged.txt"

# One of every kind that S3 accepts and somebody gets wrong.
NASTY = (
    "a b.txt",
    "a+b.txt",
    "a%b.txt",
    "a%20b.txt",
    "100%.txt",
    "a#b.txt",
    "a?b.txt",
    "a?v=1.txt",
    "a&b=c.txt",
    "a,b;c.txt",
    "a:b@c.txt",
    "$a.txt",
    "it's (a).txt",
    "hey!.txt",
    "a*b.txt",
    "[a].txt",
    "{a}|b.txt",
    "a^b`c.txt",
    '"a"<b>.txt',
    "back\\slash.txt",
    "ü.txt",
    "u\u0308.txt",
    "漢字.txt",
    "\N{BALLOON}.txt",
    "UPPER.txt",
    "upper.txt",
    "a//b.txt",
    "..a.txt",
    "%2e%2e.txt",
    " leading and trailing ",
    "many---dashes___.txt",
    "alone/~home.txt",
)


def play(cloud: Cloud, _files: dict[str, bytes], narrator: Narrator, claims: Claims) -> None:
    """Make life hard for the suite, one thing after the other."""
    Stage(cloud, Viewer(cloud.world.edge_url, cloud.domain_name), narrator, claims).play()


@dataclass(frozen=True, slots=True)
class Stage:
    """A distribution, a viewer, and a narrator."""

    cloud: Cloud
    viewer: Viewer
    narrator: Narrator
    claims: Claims

    def play(self) -> None:
        self.nasty_keys()
        self.several_distributions()
        self.duplicates()
        self.poison()
        self.throttled()
        self.lost_timer()
        self.expired()

    def nasty_keys(self) -> None:
        keys = [f"nasty/{key}" for key in NASTY]
        urls = sorted({url for key in keys for url in _urls_of(key)})
        # Something that does not change, or all of it would be one wildcard.
        self._upload([_UNCHANGED.lstrip("/"), *keys], b"first")
        self._settle()
        seen = self._bodies(self.viewer, urls)
        self.viewer.get(_UNCHANGED)
        self._upload(keys, b"second")
        sent = self._settle()
        self.narrator.say(
            f"{len(keys)} objects with awkward keys are replaced: "
            f"{outside.item_count(sent)} items for the {len(urls)} URLs that browsers send."
        )
        fresh = self._bodies(self.viewer, urls)
        kept = self.viewer.get(_UNCHANGED)
        self.claims.check(
            "nasty-keys",
            f"{len(keys)} awkward keys are new by every URL that a link or a script makes.",
            against={
                **{f"{url} was old": seen[url] == b"first" for url in urls},
                **{f"{url} is new": fresh[url] == b"second" for url in urls},
                "what did not change stayed cached": kept.from_cache,
            },
        )

    def several_distributions(self) -> None:
        world = self.cloud.world
        policy_id = outside.cache_policy_by_query(world)
        below = outside.distribute(world, bucket=self.cloud.bucket, origin_path="/nasty")
        queried = outside.distribute(world, bucket=self.cloud.bucket, cache_policy_id=policy_id)
        viewers = {
            "/nasty/page.html": self.viewer,
            "/page.html": replace(self.viewer, host=below["DomainName"]),
        }
        by_query = replace(self.viewer, host=queried["DomainName"])
        variants = [f"/nasty/page.html{query}" for query in ("", "?v=1", "?v=2&lang=de")]
        self._upload(["nasty/page.html"], b"first")
        self._settle()
        before = [viewer.get(path).body for path, viewer in viewers.items()]
        old = self._bodies(by_query, variants)
        self._upload(["nasty/page.html"], b"second")
        self._settle()
        self.narrator.say(
            "Three distributions serve the bucket: one whole, one by an OriginPath, one with "
            "query strings in the cache key."
        )
        after = [viewer.get(path).body for path, viewer in viewers.items()]
        new = self._bodies(by_query, variants)
        self.claims.check(
            "several-distributions",
            "A file is new on every distribution that serves it, by the path that it has there.",
            against={
                "both were old": before == [b"first", b"first"],
                "both are new": after == [b"second", b"second"],
            },
        )
        self.claims.check(
            "query-strings-covered",
            "Where query strings are in the cache key, every variant is new.",
            against={
                **{f"{url} was old": body == b"first" for url, body in old.items()},
                **{f"{url} is new": body == b"second" for url, body in new.items()},
            },
        )

    def duplicates(self) -> None:
        world = self.cloud.world
        keys = [f"twice/{number}.txt" for number in range(20)]
        self._upload(["twice/unchanged.txt"], b"first")
        self._settle()
        world.delivery = Delivery(
            random=Random(1), duplicate=0.5, reorder=0.5, split=0.5, lateness_s=300
        )
        self._upload(keys[:10], b"first")
        self._settle()
        self._upload(keys[10:], b"first")
        sent = self._settle()
        world.delivery = Delivery()
        paths = [path_of(key) for key in keys]
        items = [item for invalidation in self.cloud.invalidations() for item in invalidation.items]
        self.narrator.say(
            f"Half of {len(keys)} events came twice, up to 5 minutes late and out of order."
        )
        self.claims.check(
            "duplicate-billed-once",
            "An event that comes again, also after its batch was sent, is not paid for again.",
            against={
                "something was sent": bool(sent),
                **{f"{path} was sent once": items.count(path) == 1 for path in paths},
            },
        )

    def poison(self) -> None:
        world = self.cloud.world
        sqs, poison = world.client("sqs"), "<this is no S3 event/>"
        self._upload(["poison/before.txt"], b"first")
        sqs.send_message(QueueUrl=world.outputs["UploadsUrl"], MessageBody=poison)
        self._upload(["poison/after.txt"], b"first")
        sent = self._settle()
        letters = sqs.receive_message(
            QueueUrl=world.deployment.resources["UploadsDeadLetters"],
            MessageAttributeNames=["reason"],
        ).get("Messages", [])
        reasons = [_reason(letter) for letter in letters]
        self.narrator.say(f"A message that nobody can read is dead-lettered: {'; '.join(reasons)}")
        self.claims.check(
            "poison-dead-lettered",
            "What cannot be read is in the dead-letter queue with the reason; the rest went on.",
            against={
                "it is there": [letter["Body"] for letter in letters] == [poison],
                "it says why": all("no S3 event" in reason for reason in reasons),
                **{
                    f"/poison/{name}.txt was sent": outside.covered(sent, f"/poison/{name}.txt")
                    for name in ("before", "after")
                },
            },
        )

    def throttled(self) -> None:
        world = self.cloud.world
        rejected_count = 12
        seen = sum(call.operation == "CreateInvalidation" for call in world.faults.calls)
        rule = Rule(
            does=Does.THROTTLE,
            operation="CreateInvalidation",
            nth=seen + 1,
            times=rejected_count,
        )
        world.faults.rules.append(rule)
        began = world.virtual_time.now()
        self._upload(["throttled.txt"], b"first")
        sent = self._settle()
        world.faults.rules.remove(rule)
        took_min = (world.virtual_time.now() - began) / 60
        self.narrator.say(
            f"CloudFront throttled {rejected_count} calls in a row; it took {took_min:.0f} minutes,"
            " and no function ran while waiting."
        )
        self.claims.check(
            "throttle-survived",
            "However long CloudFront throttles, an upload is invalidated in the end.",
            against={"/throttled.txt was sent": outside.covered(sent, "/throttled.txt")},
        )

    def lost_timer(self) -> None:
        world = self.cloud.world
        invocation_count = len(world.invocations)
        self._upload(["lost.txt"], b"first")
        world.run(
            until=lambda: any(
                invocation.function == "collect_changes"
                for invocation in world.invocations[invocation_count:]
            ),
            limit_s=_LONG_S,
        )
        world.client("sqs").purge_queue(QueueUrl=world.outputs["FlushTimersUrl"])
        before = len(self.cloud.invalidations())
        with self.narrator.busy("The sweep runs"):
            world.run(until=lambda: len(self.cloud.invalidations()) > before, limit_s=_LONG_S)
        self._settle()
        self.narrator.say(
            "The queue of flush timers was emptied; the sweep found the row and scheduled a new "
            "timer."
        )
        self.claims.check(
            "lost-timer-rescheduled",
            "A change whose timer is lost is found and invalidated.",
            against={
                "/lost.txt was sent": outside.covered(
                    self.cloud.invalidations()[before:], "/lost.txt"
                )
            },
        )

    def expired(self) -> None:
        self._upload(["old/draft.html", "old/unchanged.html"], b"first")
        self._settle()
        seen = self.viewer.get("/old/draft.html")
        self.cloud.world.expire(self.cloud.bucket, "old/draft.html")
        self._settle()
        gone = self.viewer.get("/old/draft.html")
        self.narrator.say("A lifecycle rule of the bucket deleted a file.")
        self.claims.check(
            "lifecycle-delete-invalidates",
            "What a lifecycle rule deletes is gone from the edge too.",
            against={
                "it was served": seen.status == HTTPStatus.OK,
                "it is gone": gone.status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND},
            },
        )

    def _upload(self, keys: Iterable[str], body: bytes) -> None:
        for key in keys:
            self.cloud.put(key, body, content_type="text/plain")

    def _settle(self) -> list[Invalidation]:
        """Let the suite do its work; return the invalidations that it asked for."""
        before = len(self.cloud.invalidations())
        with self.narrator.busy("The suite reacts"):
            self.cloud.world.settle(limit_s=_LONG_S)
        return self.cloud.invalidations()[before:]

    def _bodies(self, viewer: Viewer, urls: Iterable[str]) -> dict[str, bytes]:
        answers = {url: viewer.get(url) for url in urls}
        return {
            url: answer.body if answer.status == HTTPStatus.OK else b""
            for url, answer in answers.items()
        }


def _reason(letter: Mapping[str, Any]) -> str:
    """Return why *letter* is one; SQS, which dead-letters too, gives no reason."""
    attribute = letter.get("MessageAttributes", {}).get("reason", {})
    return str(attribute.get("StringValue", "received too often"))


def _urls_of(key: str) -> set[str]:
    """Return what browsers request for *key*, from links and from scripts that encode segments."""
    # What ends a path or begins an escape must be written so; all else a link may have raw. Only a
    # raw backslash would be taken for a slash.
    link = key.replace("%", "%25").replace("#", "%23").replace("?", "%3F").replace("\\", "%5C")
    component = "/".join(quote(part, safe="!'()*~") for part in key.split("/"))
    # A parser strips what surrounds an address: a link to such a name has it encoded.
    links = {link.replace(" ", "%20"), component}
    return {ada_url.URL(f"https://viewer.example/{href}").pathname for href in links}
