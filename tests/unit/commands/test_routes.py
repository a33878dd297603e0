"""For an object, every path that viewers have is shown, with the reason for each."""

import json
import time
from random import Random

import pytest

from commands import routes
from commands.exit_codes import Exit
from local import aws
from local.cloudfront import CloudFront, doors
from tests.unit.commands.running import run_here

BY_QUERY, PLAIN = "4cc15a8a-d715-48a4-82b8-cc0b614638fe", "658327ea-f89d-4fab-a63d-7e88639e58f6"
HOSTS = [
    ("site.s3.eu-west-1.amazonaws.com", "", PLAIN),
    ("site.s3-website-eu-west-1.amazonaws.com", "", PLAIN),
    ("site.s3.eu-west-1.amazonaws.com", "/docs", BY_QUERY),
    ("photos-x1y2-s3alias.s3.eu-west-1.amazonaws.com", "", PLAIN),
]


def client():
    """An account with the distributions of the example."""
    session = aws.session(access_key=aws.OUTSIDE)
    core = CloudFront(now=time.time, random=Random(0))
    doors.attach(session.events, core)
    for number, (host, path, policy) in enumerate(HOSTS):
        core.call("CreateDistribution", {"DistributionConfig": config(number, host, path, policy)})
    return session.client("cloudfront")


def config(number, host, path, policy):
    origin = {"Id": "site", "DomainName": host, "OriginPath": path}
    origin |= {"S3OriginConfig": {"OriginAccessIdentity": ""}} if ".s3." in host else {}
    return {
        "CallerReference": str(number),
        "Comment": "",
        "Enabled": True,
        "DefaultRootObject": "index.html",
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "site",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": policy,
        },
    }


def explain(key, *, bucket="site", access_points=None, both_forms=True):
    access_points = access_points or {}
    site = routes.Site(
        buckets=("site",),
        distributions=routes.read_distributions(client(), access_points),
        access_points=access_points,
        both_forms=both_forms,
    )
    return routes.explain(site, bucket, key)


class TestExplain:
    def test_example(self):
        """
        Website endpoints, OriginPaths, default root objects and query strings are distinguished.
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
        Where an object cannot be reached, the reason is said.
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


class TestExample:
    @pytest.mark.parametrize("key", ["docs/index.html", "index.html", "docs/a+b.css"])
    def test_as_read(self, key):
        """
        The example account says what one with its distributions says.
        """
        example = [
            (path.origin, path.path) for path in routes.explain(routes.example(), "site", key)
        ]

        assert sorted(example) == sorted((path.origin, path.path) for path in explain(key))


class TestCommand:
    def test_json(self):
        """
        For machines, standard output is JSON and nothing else.
        """
        done = run_here("routes", "docs/index.html", "--example", "--json")

        assert done.returncode == 0
        assert json.loads(done.stdout)["routes"][0]["path"] == "/docs/index.html"

    def test_nowhere(self, nowhere):
        """
        Without credentials or region it says what is missing, in a line.
        """
        done = run_here("routes", "a", "--stack", "autopilot")

        assert done.returncode == Exit.AWS_UNREACHABLE
        assert "credentials and region" in done.stderr
        assert "Traceback" not in done.stderr
