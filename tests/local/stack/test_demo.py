"""The demo's claims hold for this suite, break for a worse one, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from local import stack
from local.cloudfront import Lags
from local.demo import access, attack, frontend, hardship, outside, site, upload
from local.demo.claims import Claims
from local.demo.narration import Narrator
from local.demo.viewer import Viewer
from local.edge import EdgeServer
from tests.local import signed, suite


def everything_fails(_event, _context):
    raise ConnectionError


@contextmanager
def stage(kind, *, handlers=suite.HANDLERS, lags=None, **parameters):
    """Set a chapter's stage on an inline stack whose edge listens."""
    parameters = {"UploadBuckets": "site"} | parameters
    with (
        stack.inline(suite.TEMPLATE, parameters=parameters, handlers=handlers, lags=lags) as world,
        EdgeServer(world.edge) as server,
    ):
        claims = Claims(Narrator.silent())
        cloud = outside.build(world, bucket="site")
        viewer = Viewer(server.url, cloud.domain_name)
        yield kind(cloud, viewer, claims.narrator, claims)


@contextmanager
def played(*, files=None, burst=False, **how):
    """Play the first chapter, with or without its long end."""
    with stage(upload.Stage, **how) as chapter:
        files = files or site.read(site.SHIPPED).files
        chapter.publish(files)
        chapter.change(upload.Edit.of(files))
        if burst:
            chapter.burst()
        yield chapter.claims


class TestAccess:
    def test_holds(self):
        """
        Every claim of the chapter holds, but for those that need what is not here.
        """
        signed.forget()
        parameters = {"UploadBuckets": "site"} | access.PARAMETERS
        claims = Claims(Narrator.silent())
        with (
            stack.inline(
                suite.TEMPLATE,
                parameters=parameters,
                handlers=signed.HANDLERS,
                fetch=frontend.IDENTITY.document,
            ) as world,
            EdgeServer(world.edge) as server,
        ):
            world.edge_url, world.edge_authority = server.url, server.authority_path
            access.play(outside.build(world, bucket="site"), {}, claims.narrator, claims)

        assert len(claims.results) >= 9
        assert {claim for claim, result in claims.results.items() if result == "skipped"} <= {
            "doctor-names-cause",
            "browser-opens-gallery",
        }
        assert claims.broken == []


class TestUpload:
    @pytest.mark.prove
    def test_holds(self):
        """
        Every claim of the chapter holds.
        """
        with played(burst=True) as claims:
            assert set(claims.results.values()) == {"held"}
            assert len(claims.results) == 6

    @pytest.mark.parametrize(
        "lags",
        [
            Lags(invalidation_completed_s=0, invalidation_effect_s=0),
            Lags(invalidation_completed_s=0),
        ],
    )
    def test_completed_at_once(self, lags):
        """
        A stand-in that completes invalidations at once does not pass for CloudFront.
        """
        with played(lags=lags) as claims:
            assert "stale-before-fresh-after" in claims.broken

    @pytest.mark.parametrize(
        ("function", "broken"),
        [
            ("send_invalidations", {"upload-invalidates", "delete-invalidates"}),
            ("poll_watches", {"watch-announced-once"}),
        ],
    )
    def test_function_fails(self, function, broken):
        """
        Without a function, the claims that rest on it break, and say so without an error.
        """
        with played(handlers=suite.HANDLERS | {function: everything_fails}) as claims:
            assert broken <= set(claims.broken)

    def test_awkward_site(self):
        """
        Any folder will do, whatever its files are called.
        """
        files = {f"{name}.txt": name.encode() for name in ("~a", "b*", "ü +%", "c[1]|", "d", "e")}
        with played(files=files) as claims:
            assert claims.broken == []


class TestHardship:
    @pytest.mark.prove
    def test_holds(self):
        """
        Every claim of the chapter holds.
        """
        with stage(hardship.Stage) as chapter:
            chapter.play()

            assert chapter.claims.broken == []
            assert len(chapter.claims.results) == 8

    def test_links_only(self):
        """
        Whoever saves the second form of a key loses the claim about every URL.
        """
        with stage(hardship.Stage, UrlForms="links") as chapter:
            chapter.nasty_keys()

            assert chapter.claims.broken == ["nasty-keys"]


class TestAttack:
    @pytest.mark.prove
    def test_holds(self):
        """
        Every claim of the chapter holds.
        """
        with stage(attack.Stage, DailyItems="160") as chapter:
            chapter.play()

            assert chapter.claims.broken == []
            assert len(chapter.claims.results) == 4

    @pytest.mark.prove
    def test_no_ceiling(self):
        """
        Whoever allows a day ten times as much loses the claim that money is held.
        """
        with stage(attack.Stage, DailyItems="1600") as chapter:
            chapter.spending()

            assert chapter.claims.broken == ["daily-budget-holds"]


class TestProcess:
    def start(self, *arguments):
        python = os.environ.get("FUNCTIONS_PYTHON", sys.executable)
        return subprocess.Popen(
            [sys.executable, "-m", "local.demo", "--functions-python", python, *arguments],
            cwd=suite.TEMPLATE.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def nobody_left(self, group):
        for _ in range(600):
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.1)
        return False

    @pytest.mark.prove
    def test_stopped(self):
        """
        Ctrl-C while functions run ends the demo in a sentence, and all of its processes.
        """
        with self.start() as demo:
            while "files are uploaded" not in demo.stdout.readline():
                assert demo.poll() is None
            os.killpg(demo.pid, signal.SIGINT)
            said = demo.stdout.read()

        assert demo.returncode == 130
        assert "Traceback" not in said
        assert self.nobody_left(demo.pid)

    def test_no_site(self, tmp_path):
        """
        A folder that cannot be shown is refused in a sentence that names it.
        """
        with self.start("--site", str(tmp_path / "none")) as demo:
            said = demo.stdout.read()

        assert demo.returncode == 2
        assert f"{tmp_path / 'none'} is no folder" in said
