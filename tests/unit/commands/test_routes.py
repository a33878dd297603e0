"""For an object, every path that viewers have is shown, with the reason for each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands import routes

ROOT = Path(__file__).parents[3]


def explain(key, *, bucket="site", access_points=None, both_forms=True):
    client, _ = routes._example()
    return routes.explain(
        client, bucket, key, both_forms=both_forms, access_points=access_points or {}
    )


class TestExplain:
    def test_example(self):
        """
        Website endpoints, OriginPaths, default root objects and query strings are told apart.
        """
        found = [(one.path, one.why) for one in explain("docs/index.html")]

        with_queries = "with any query string, which is in the cache key"
        assert found[:-1] == [
            ("/docs/index.html", "as a link has it"),
            ("/docs/index.html", "as a link has it"),
            ("/docs/", "the website endpoint shows index.html there"),
            ("/docs", "the website endpoint shows index.html there"),
            ("/index.html*", f"as a link has it, {with_queries}"),
            ("/", "shows the default root object"),
            ("/?*", f"shows the default root object, {with_queries}"),
        ]

    def test_undeclared(self):
        """
        An access point is named as long as nobody has declared where it leads.
        """
        alias = "photos-x1y2-s3alias"

        assert alias in explain("a")[-1].why
        assert [one.path for one in explain("a", bucket="photos", access_points={alias: "photos"})]

    def test_unreached(self):
        """
        Where an object cannot be reached, the reason is told.
        """
        assert [one.why for one in explain("a.css") if not one.path][:1] == [
            "its OriginPath is /docs"
        ]

    @pytest.mark.parametrize(("both_forms", "count"), [(True, 4), (False, 2)])
    def test_forms(self, both_forms, count):
        """
        A key that scripts write differently has both paths, unless that is switched off.
        """
        paths = [one.path for one in explain("a+b.css", both_forms=both_forms) if one.path]

        assert len(paths) == count


class TestCommand:
    def run(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "commands.routes", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": ".:layers/cloudfront",
                "AWS_EC2_METADATA_DISABLED": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def test_json(self):
        """
        For machines, standard output is JSON and nothing else.
        """
        done = self.run("--key", "docs/index.html", "--json")

        assert done.returncode == 0
        assert json.loads(done.stdout)["routes"][0]["path"] == "/docs/index.html"

    def test_nowhere(self):
        """
        Without credentials or region it says what is missing, in a line.
        """
        done = self.run("--key", "a", "--stack", "autopilot")

        assert done.returncode == 2
        assert "credentials and region" in done.stdout
        assert "Traceback" not in done.stderr
