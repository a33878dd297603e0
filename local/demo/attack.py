"""Hostile uploads, a missing permission, and somebody who would spend the owner's money."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.demo import outside
from local.demo.claims import Claims
from local.demo.narration import Narrator
from local.demo.outside import Cloud
from local.demo.viewer import Viewer
from local.faults import Does, Rule
from local.stack import embedded

_TEMPLATE = Path(__file__).parents[2] / "template.yaml"
_BUCKET = "site"
_DAILY_ITEMS = 160
_DAY_S = 86_400.0
_PAGES = tuple(f"denied/{letter}/page.html" for letter in "abcdefghijklmnopqrstuvwxyz0123")
_DENIED_S = 180.0
# All that is spent is spent on one day.
_LONGEST_S = 3_600.0
_MAX_REASON = 500


def play(narrator: Narrator, claims: Claims, *, python: Path | None = None) -> None:
    """
    Try to stop the suite, and to run up a bill.

    Call it when no other stack runs in this process. *python* runs the functions.
    """
    parameters = {"UploadBuckets": _BUCKET, "DailyItems": str(_DAILY_ITEMS)}
    with embedded(_TEMPLATE, parameters=parameters, python=python) as world:
        cloud = outside.build(world, bucket=_BUCKET)
        Stage(cloud, Viewer(world.edge_url, cloud.domain_name), narrator, claims).play()


@dataclass(frozen=True, slots=True)
class Stage:
    """A distribution, a viewer, and a narrator."""

    cloud: Cloud
    viewer: Viewer
    narrator: Narrator
    claims: Claims

    def play(self) -> None:
        left_s = _DAY_S - self.cloud.world.virtual_time.now() % _DAY_S
        if left_s < _LONGEST_S:
            self._run(left_s)
        # Something that does not change, or all of it would be one wildcard.
        self._upload([f"{folder}/unchanged.html" for folder in ("denied", "good", "skipped")], b"")
        self._run(120)
        self.hostile()
        self.denied()
        self.skipped()
        self.spending()

    def hostile(self) -> None:
        world = self.cloud.world
        good = [f"good/{number}.html" for number in range(4)]
        hostile = _hostile_messages()
        self._upload(good, b"first")
        self._run(120)
        self._read(good)
        sqs = world.client("sqs")
        for key, body in zip(good * len(hostile), hostile, strict=False):
            self._upload([key], b"second")
            sqs.send_message(QueueUrl=world.outputs["UploadsUrl"], MessageBody=body)
        invocation_count = len(world.invocations)
        self._run(300)
        letters = self._letters("UploadsDeadLetters")
        ended = [
            invocation.outcome.error
            for invocation in world.invocations[invocation_count:]
            if invocation.outcome.error
        ]
        self.narrator.say(
            f"{len(hostile)} messages that no S3 would write came among {len(good)} uploads: wrong "
            "types, half characters, 100,000 brackets, 250 kB of key."
        )
        self.claims.check(
            "hostile-upload-harmless",
            "Each bad record is a dead letter with its reason; every good upload was invalidated.",
            against={
                "every bad one is there": len(letters) == len(hostile),
                "each says why, in short": all(
                    0 < len(reason) <= _MAX_REASON for reason in letters
                ),
                "no function failed": ended == [],
                **{f"/{key} is new": self._body(key) == b"second" for key in good},
            },
        )

    def denied(self) -> None:
        world = self.cloud.world
        self._upload(_PAGES, b"first")
        self._run(120)
        self._read(_PAGES)
        rule = Rule(
            does=Does.FAIL,
            operation="CreateInvalidation",
            status=403,
            code="AccessDenied",
            nth=1 + sum(call.operation == "CreateInvalidation" for call in world.faults.calls),
            times=None,
        )
        world.faults.rules.append(rule)
        self._upload(_PAGES, b"second")
        self._run(_DENIED_S)
        stale = sum(self._body(key) == b"first" for key in _PAGES)
        world.faults.rules.remove(rule)
        began_at = world.virtual_time.now()
        self._run(600, until=lambda: self._body(_PAGES[0]) == b"second")
        took_s = world.virtual_time.now() - began_at
        refused = self._announced("Invalidation Refused")
        self.narrator.say(
            f"For three minutes CloudFront denied everything, and {stale} pages were stale. "
            f"{took_s:.0f} s after the permission was back they were new."
        )
        self.claims.check(
            "denied-then-sent",
            "What is refused is announced, tried again, and sent when it is allowed.",
            against={
                "all were stale": stale == len(_PAGES),
                "it was announced, with the code": [event["detail"]["error"] for event in refused]
                == ["AccessDenied"] * len(refused)
                != [],
                **{f"/{key} is new": self._body(key) == b"second" for key in _PAGES},
            },
        )

    def skipped(self) -> None:
        keys = [f"skipped/~{number}.html" for number in range(3)]
        self._upload(keys, b"first")
        self._run(120)
        announced = self._announced("Changes Skipped")
        details = [event["detail"] for event in announced]
        reasons = [str(detail["reason"]) for detail in details]
        self.narrator.say(f"What cannot be invalidated is announced: {'; '.join(reasons)}")
        self.claims.check(
            "skipped-is-announced",
            "What no invalidation can name is announced once an hour, with the reason and keys.",
            against={
                "once": len(announced) == 1,
                "all of them": [detail["key_count"] for detail in details] == [len(keys)],
                "by name": [detail["first_keys"] for detail in details] == [keys],
            },
        )

    def spending(self) -> None:
        keys = [f"{a}/{b}/x.html" for a in "abcdefghij" for b in "0123456789"]
        self._upload([key.replace("x.html", "unchanged.html") for key in keys], b"")
        self._run(120)
        before = self._item_count()
        self._upload(keys, b"")
        self._run(120)
        first_day = self._item_count()
        held = self._announced("Changes Held")
        now = self.cloud.world.virtual_time.now()
        self._run(_DAY_S - now % _DAY_S + 120)
        sent = self.cloud.invalidations()
        self.narrator.say(
            f"{len(keys)} uploads would have cost as many items. The day allows {_DAILY_ITEMS} in "
            f"all, {before} were used: {first_day - before} were sent, the others after midnight."
        )
        self.claims.check(
            "daily-budget-holds",
            "No day costs more than it may; what is beyond waits, announced, and is not dropped.",
            against={
                "the day's limit held": first_day <= _DAILY_ITEMS,
                "some were held": first_day - before < len(keys),
                "it was announced": held != [],
                **{f"/{key} was sent": outside.covered(sent, f"/{key}") for key in keys},
            },
        )

    def _upload(self, keys: Iterable[str], body: bytes) -> None:
        for key in keys:
            self.cloud.put(key, body, content_type="text/plain")

    def _run(self, limit_s: float, *, until: Callable[[], bool] | None = None) -> None:
        with self.narrator.busy("The suite reacts"):
            self.cloud.world.run(until=until, limit_s=limit_s)

    def _read(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._body(key)

    def _body(self, key: str) -> bytes:
        return self.viewer.get(f"/{key}").body

    def _announced(self, detail_type: str) -> list[dict[str, Any]]:
        return [
            event for event in self.cloud.announcements() if event["detail-type"] == detail_type
        ]

    def _item_count(self) -> int:
        return outside.item_count(self.cloud.invalidations())

    def _letters(self, queue: str) -> list[str]:
        """Return the reasons of all dead letters of *queue*."""
        world = self.cloud.world
        sqs, url = world.client("sqs"), world.deployment.resources[queue]
        reasons = []
        while messages := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["reason"]
        ).get("Messages", []):
            reasons += [
                message["MessageAttributes"]["reason"]["StringValue"] for message in messages
            ]
        return reasons


def _hostile_messages() -> list[str]:
    """Return what somebody may send who can reach the queue."""

    def event(key: Any, **changes: Any) -> str:  # noqa: ANN401  # whatever JSON holds
        return json.dumps(
            {
                "source": "aws.s3",
                "detail-type": "Object Created",
                "time": "2026-11-28T12:00:00Z",
                "detail": {"bucket": {"name": _BUCKET}, "object": {"key": key, "sequencer": "1"}},
            }
            | changes
        )

    return [
        event("a.css").replace('"1"', "null"),
        event(5),
        event("\ud800"),
        event("x" * 250_000),
        event("a.css", time=["now"]),
        event("a.css", detail="none"),
        "[" * 100_000,
        '{"Records": [{"eventVersion": {}}]}',
    ]
