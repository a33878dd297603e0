"""Tests of local.edge.origins."""

import boto3
import pytest
from moto import mock_aws

from local.edge import origins
from local.edge.origins import Kind, OriginRequest


def asked(path, *, domain="site.s3.us-east-1.amazonaws.com", under=""):
    origin = {"DomainName": domain, "OriginPath": under}
    return origins.request(origin, method="GET", path=path, query="", headers={})


class TestRequest:
    @pytest.mark.parametrize(
        ("domain", "kind", "bucket"),
        [
            ("site.s3.amazonaws.com", Kind.S3, "site"),
            ("site.s3.eu-west-1.amazonaws.com", Kind.S3, "site"),
            ("site.s3-eu-west-1.amazonaws.com", Kind.S3, "site"),
            ("site.s3.dualstack.eu-west-1.amazonaws.com", Kind.S3, "site"),
            ("site.s3-fips.us-east-1.amazonaws.com", Kind.S3, "site"),
            ("site.s3-accelerate.amazonaws.com", Kind.S3, "site"),
            ("site.s3.cn-north-1.amazonaws.com.cn", Kind.S3, "site"),
            ("my.site.example.s3.eu-west-1.amazonaws.com", Kind.S3, "my.site.example"),
            ("Site.S3.amazonaws.com", Kind.S3, "site"),
            ("site.s3-website-us-east-1.amazonaws.com", Kind.WEBSITE, "site"),
            ("site.s3-website.eu-central-1.amazonaws.com", Kind.WEBSITE, "site"),
            ("www.example.com", Kind.CUSTOM, ""),
            ("s3.amazonaws.com.example.com", Kind.CUSTOM, ""),
        ],
    )
    def test_bucket(self, domain, kind, bucket):
        """
        Every form of an S3 origin's name is read; other names are other origins.
        """
        found = asked("/a", domain=domain)

        assert (found.kind, found.bucket) == (kind, bucket)

    def test_bucket_in_path(self):
        """
        A name without a bucket has it in the path.
        """
        found = asked("/a/b", domain="s3.eu-west-1.amazonaws.com", under="/site/live")

        assert (found.bucket, found.key) == ("site", "live/a/b")

    @pytest.mark.parametrize(
        ("path", "key"),
        [
            ("/a.css", "a.css"),
            ("/", ""),
            ("//a", "/a"),
            ("/a/", "a/"),
            ("/a+b", "a+b"),
            ("/a%20b", "a b"),
            ("/a%2Bb", "a+b"),
            ("/a%2520b", "a%20b"),
            ("/%C3%BC/%E2%82%AC", "ü/€"),
            ("/ü", "ü"),
            ("/a/../b", "a/../b"),
            ("/100%", "100%"),
        ],
    )
    def test_key(self, path, key):
        """
        The key is the path without its slash, decoded once; a plus sign stays one.
        """
        assert asked(path).key == key

    def test_origin_path(self):
        """
        The origin path goes before the viewer's.
        """
        found = asked("/a%20b.css", under="/live/v2")

        assert (found.path, found.key) == ("/live/v2/a%20b.css", "live/v2/a b.css")

    def test_no_key(self):
        """
        A path that is not UTF-8 names no object.
        """
        with pytest.raises(origins.NotAKeyError):
            asked("/%ff")


class TestS3Objects:
    @pytest.fixture
    def fetch(self, monkeypatch):
        """
        Ask for a key of a bucket with one object.
        """
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        with mock_aws():
            client = boto3.client("s3", region_name="us-east-1")
            client.create_bucket(Bucket="site")
            client.put_object(
                Bucket="site",
                Key="a b+ü.css",
                Body=b"x",
                ContentType="text/css",
                CacheControl="max-age=9",
                Metadata={"cache-tag": "t"},
            )
            answer = origins.s3_objects(client)
            yield lambda key, kind=Kind.S3, method="GET": answer(
                OriginRequest(kind, method, "h", "/", bucket="site", key=key)
            )

    def test_found(self, fetch):
        """
        An object comes with what S3 says about it, and without what S3 says about the answer.
        """
        found = fetch("a b+ü.css")

        assert (found.status, found.body) == (200, b"x")
        assert found.headers.keys() == {
            "accept-ranges",
            "content-type",
            "cache-control",
            "etag",
            "last-modified",
            "x-amz-meta-cache-tag",
        }
        assert found.headers["cache-control"] == "max-age=9"

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            ({"key": "none"}, 404),
            ({"key": ""}, 403),
            ({"key": "a", "method": "PUT"}, 405),
            ({"key": "a", "kind": Kind.CUSTOM}, 502),
            ({"key": "a", "kind": Kind.WEBSITE}, 502),
        ],
    )
    def test_not_found(self, fetch, sent, status):
        """
        What is not there, and what this origin cannot do, is an answer too.
        """
        assert fetch(**sent).status == status
