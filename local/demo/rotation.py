"""Signing keys change by themselves, and no link breaks that was given out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any

from local.demo import frontend, outside
from local.demo.claims import Claims
from local.demo.frontend import HOST, FrontEnd, film
from local.demo.narration import Narrator
from local.faults import Does, Rule
from local.stack import embedded
from local.world import World

_TEMPLATE = Path(__file__).parents[2] / "template.yaml"
_BUCKET = "films"
_DAY_S, _HOUR_S = 86_400.0, 3_600.0
_HOLD_S = 24 * _HOUR_S
_LINKS_LIVE_S = 12 * _HOUR_S
# So far time jumps; the schedule then fires once.
_STEP_S = 2 * _HOUR_S
_WEEK = {"RotationDays": "7"}
_MAX_DAYS = 40


def play(narrator: Narrator, claims: Claims, *, python: Path | None = None) -> None:
    """
    Let weeks pass over a stack whose keys sign for seven days each.

    Call it when no other stack runs in this process. *python* runs the functions.
    """
    parameters = {"UploadBuckets": "site"} | frontend.PARAMETERS | _WEEK
    with embedded(
        _TEMPLATE, parameters=parameters, python=python, fetch=frontend.IDENTITY.document
    ) as world:
        Stage.build(world, narrator, claims).play()


@dataclass(slots=True)
class Link:
    """A link that the endpoint gave out."""

    url: str
    key_id: str
    expires_at: float


@dataclass(slots=True)
class Stage:
    """
    A viewer who asks for a link at every moment, and opens all that she still has.

    Attributes:
        links: Those that have not expired.
        broken: Those that did not open though they should have.
        trusted_at, signed_at, last_expiry: By key: when it was first in the key group, when the
            first link was signed by it, and when the last one expires.
        gone_at: By key: when CloudFront had it no more.
    """

    world: World
    page: FrontEnd
    narrator: Narrator
    claims: Claims
    began_at: float
    links: list[Link] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    opened: int = 0
    trusted_at: dict[str, float] = field(default_factory=dict)
    signed_at: dict[str, float] = field(default_factory=dict)
    last_expiry: dict[str, float] = field(default_factory=dict)
    gone_at: dict[str, float] = field(default_factory=dict)

    @classmethod
    def build(cls, world: World, narrator: Narrator, claims: Claims) -> Stage:
        frontend.furnish(world, bucket=_BUCKET, max_lifetime_s=int(_LINKS_LIVE_S))
        group = world.outputs["KeyGroupId"]
        outside.guard(world, bucket=_BUCKET, host=HOST, key_group_id=group)
        return cls(world, FrontEnd(world), narrator, claims, world.virtual_time.now())

    def play(self) -> None:
        say = self.narrator.say
        say("The stack has a key group and no key that signs: the endpoint answers 503.")
        self._live(until=lambda: len(self.signed_at) == 1)
        self._say_day("the first key was verified, and signs")
        self._live(until=lambda: len(self.signed_at) == 2)  # noqa: PLR2004  # the second key
        self._say_day("another key signs")
        crashes = self._third_key()
        self._live(until=self._is_at_rest)
        self._say_day("the old ones are drained and deleted, the next one stands by; it signs")
        self._check_links()
        self._check_verification()
        self._check_deletions()
        self._check_crashes(crashes)
        self._check_orphans()
        self._revoke()

    def _is_at_rest(self) -> bool:
        return len(self.gone_at) >= 2 and "standby" in self._states()  # noqa: PLR2004  # of three

    def _third_key(self) -> int:
        """Let the function die again and again while the next key is made; return how often."""
        chance = Random(4)
        before = len(self.world.invocations)

        def crash() -> None:
            made = sum(call.caller == "rotate_keys" for call in self.world.faults.calls)
            does = chance.choice([Does.CRASH_BEFORE, Does.CRASH_AFTER])
            rule = Rule(does=does, caller="rotate_keys", nth=made + chance.randint(1, 12))
            self.world.faults.rules[:] = [rule]

        self._live(until=lambda: len(self.signed_at) == 3, each=crash)  # noqa: PLR2004  # the third
        self.world.faults.rules.clear()
        died = [
            invocation
            for invocation in self.world.invocations[before:]
            if invocation.function == "rotate_keys" and invocation.outcome.error
        ]
        self._say_day(f"another one again, though the function died {len(died)} times on the way")
        return len(died)

    def _say_day(self, what: str) -> None:
        signing = next(reversed(self.signed_at), "none")
        day = (self.world.virtual_time.now() - self.began_at) / _DAY_S
        self.narrator.say(
            f"Day {day:.0f}: {what}: {signing}. {self.opened} times a link was opened so far."
        )

    def _live(self, *, until: Callable[[], bool], each: Callable[[], None] = lambda: None) -> None:
        """Let time pass, with a link asked for and all links opened at every step of it."""
        world = self.world
        ends_at = world.virtual_time.now() + _MAX_DAYS * _DAY_S
        with self.narrator.busy("Weeks pass"):
            while not until() and world.virtual_time.now() < ends_at:
                each()
                world.virtual_time.advance(_STEP_S)
                world.run(limit_s=1)
                self._look()

    def _look(self) -> None:
        now = self.world.virtual_time.now()
        self.links = [link for link in self.links if link.expires_at > now]
        for link in self.links:
            self.opened += 1
            status, _ = self.page.fetch(link.url)
            if status != HTTPStatus.OK:
                self.broken.append(f"{link.key_id}, {link.expires_at - now:.0f} s early")
        signed = self.page.sign(film(0))
        if signed:
            key_id = signed["url"].partition("Key-Pair-Id=")[2].partition("&")[0]
            self.links.append(Link(signed["url"], key_id, signed["expires_at"]))
            self.signed_at.setdefault(key_id, now)
            self.last_expiry[key_id] = signed["expires_at"]
        for key_id in self._group():
            self.trusted_at.setdefault(key_id, now)
        there = set(self._public_keys())
        for key_id in self.trusted_at.keys() - there - self.gone_at.keys():
            self.gone_at[key_id] = now

    def _group(self) -> list[str]:
        group = self.world.client("cloudfront").get_key_group(Id=self.world.outputs["KeyGroupId"])
        members: list[str] = group["KeyGroup"]["KeyGroupConfig"]["Items"]
        return members

    def _public_keys(self) -> list[str]:
        listed = self.world.client("cloudfront").list_public_keys()["PublicKeyList"]
        return [key["Id"] for key in listed.get("Items", ())]

    def _check_links(self) -> None:
        self.claims.check(
            "rotation-breaks-nothing",
            f"{self.opened} times a link was opened, before, during and after two rotations.",
            against={
                "three keys have signed": len(self.signed_at) == 3,  # noqa: PLR2004  # as above
                "links were opened": self.opened > 0,
                f"none broke: {self.broken[:3]}": not self.broken,
            },
        )

    def _check_verification(self) -> None:
        held = {
            key_id: at - self.trusted_at.get(key_id, at) for key_id, at in self.signed_at.items()
        }
        least_h = min(held.values()) / _HOUR_S
        self.claims.check(
            "new-key-verified-before-use",
            f"No key signed before it had been in the key group for {least_h:.0f} hours.",
            against={f"{key_id}: {s / _HOUR_S:.0f} h": s >= _HOLD_S for key_id, s in held.items()},
        )

    def _check_deletions(self) -> None:
        old = list(self.signed_at)[:-1]
        waits = {
            key_id: self.gone_at[key_id] - self.last_expiry[key_id]
            for key_id in old
            if key_id in self.gone_at
        }
        self.claims.check(
            "old-key-deleted-after-drain",
            "An old key was deleted, and not before the last link that it had signed expired.",
            against={
                "each old key is gone": set(waits) == set(old),
                **{
                    f"{key_id}: {s / 60:.0f} min after the last link": s >= 0
                    for key_id, s in waits.items()
                },
            },
        )

    def _check_crashes(self, crashes: int) -> None:
        states = self._states()
        self.claims.check(
            "crash-anywhere-converges",
            f"After {crashes} crashes all is as without: one key signs, one stands by.",
            against={
                "it crashed": crashes > 0,
                f"one signs: {states}": states.count("signing") == 1,
                f"one stands by: {states}": states.count("standby") == 1,
            },
        )

    def _check_orphans(self) -> None:
        keys, group = self._public_keys(), self._group()
        self.claims.check(
            "no-orphan-keys",
            f"CloudFront has {len(keys)} public keys, each in the group and with a known purpose.",
            against={
                "as many as are in the group": sorted(keys) == sorted(group),
                "one that signs, one that stands by": len(keys) == 2,  # noqa: PLR2004  # these
            },
        )

    def _revoke(self) -> None:
        bad, last = next(reversed(self.signed_at)), self.links[-1]
        answer = self._invoke({"revoke": bad})
        self.world.run(limit_s=_HOUR_S / 2)
        dead, _ = self.page.fetch(last.url)
        new = self.page.sign(film(0), refresh=True)
        opens, _ = self.page.fetch(new["url"])
        self.narrator.say(f"The key {bad} leaks. Revoked: its links get {dead}, new ones {opens}.")
        self.claims.check(
            "revoked-link-dies",
            "A revoked key's links are dead, and the standby signs new ones at once.",
            against={
                f"it was revoked: {answer}": bad in json.dumps(answer),
                "its link had time left": last.expires_at > self.world.virtual_time.now(),
                "its link is dead": dead == HTTPStatus.FORBIDDEN,
                "a new one opens": opens == HTTPStatus.OK and bad not in new["url"],
            },
        )

    def _states(self) -> list[str]:
        plan = self._invoke({"plan": True})
        return [key["state"] for key in plan["keys"]]

    def _invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        outcome = self.world.invoke("rotate_keys", event)
        answer: dict[str, Any] = outcome.answer or {"error": outcome.error}
        return answer
