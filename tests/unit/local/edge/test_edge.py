"""Tests of local.edge.edge: what a viewer sees, and when."""

import threading

import pytest

from local.edge import Edge, OriginResponse


class TestFetch:
    def test_hit(self, site):
        """
        The second viewer gets the first one's copy, and learns how old it is.
        """
        first = site.get("/a.html")
        site.bucket.put("a.html", b"new")
        site.clock.seconds += 12.7
        second = site.get("/a.html")

        assert (first.status, first.body, first.headers["x-cache"]) == (
            200,
            b"old",
            "Miss from cloudfront",
        )
        assert "age" not in first.headers
        assert (second.body, second.headers["x-cache"], second.headers["age"]) == (
            b"old",
            "Hit from cloudfront",
            "12",
        )
        assert second.headers["content-type"] == "text/html"

    def test_signature(self, site):
        """
        Every answer says that CloudFront gave it, by an id of its own.
        """
        one, two = site.get("/a.html"), site.get("/a.html")

        assert one.headers["via"].endswith("(CloudFront)")
        assert one.headers["x-amz-cf-id"] != two.headers["x-amz-cf-id"]

    def test_expiry(self, site):
        """
        A copy is fresh for the policy's time, to the second.
        """
        seen = site.seen("/a.html")
        for seconds in (86_399, 1, 1):
            site.clock.seconds += seconds
            seen += site.seen("/a.html")

        assert seen == ["Miss", "Hit", "Miss", "Hit"]

    def test_uncached(self, world):
        """
        CachingDisabled caches nothing.
        """
        world.bucket.put("a", b"x", cache_control="max-age=60")
        world.distribute(
            behavior={
                "TargetOriginId": "bucket",
                "ViewerProtocolPolicy": "allow-all",
                "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
            }
        )

        assert world.seen("/a", "/a") == ["Miss", "Miss"]

    def test_head(self, site):
        """
        HEAD says what GET would, without the body, and fills the cache for it.
        """
        head = site.get("/a.html", "HEAD")
        get = site.get("/a.html")

        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "3")
        assert (get.body, get.headers["x-cache"]) == (b"old", "Hit from cloudfront")

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("/a.html", "/A.html"),
            ("/a+b", "/a%2Bb"),
            ("/a%20b", "/a b"),
            ("/a/b", "/a//b"),
            ("/a", "/a/"),
        ],
    )
    def test_as_sent(self, site, one, other):
        """
        A URL in another spelling is another copy.
        """
        site.seen(one, other, one, other)

        assert [asked.path for asked in site.bucket.asked] == [one, other]

    def test_query_ignored(self, site):
        """
        Query strings that are not in the key are neither kept apart nor forwarded.
        """
        assert site.seen("/a.html?x=1", "/a.html", "/a.html?x=2") == ["Miss", "Hit", "Hit"]
        assert site.bucket.asked[0].query == ""

    def test_query_in_key(self, world):
        """
        Query strings in the key are both.
        """
        world.bucket.put("a", b"x")
        world.distribute(behavior=world.policy(QueryStringsConfig={"QueryStringBehavior": "all"}))

        assert world.seen("/a?x=1", "/a", "/a?x=2", "/a?x=1") == ["Miss", "Miss", "Miss", "Hit"]
        assert [asked.query for asked in world.bucket.asked] == ["x=1", "", "x=2"]

    def test_header_in_key(self, world):
        """
        A header in the key keeps copies of one URL apart.
        """
        named = {"Quantity": 1, "Items": ["Accept-Language"]}
        world.bucket.put("a", b"x")
        world.distribute(
            behavior=world.policy(HeadersConfig={"HeaderBehavior": "whitelist", "Headers": named})
        )

        seen = [
            world.get("/a", **{"Accept-Language": language}).headers["x-cache"][:4]
            for language in ("de", "en", "de")
        ]

        assert seen == ["Miss", "Miss", "Hit "]

    def test_root(self, world):
        """
        `/` is the default root object, and a copy of its own.
        """
        world.bucket.put("index.html", b"home")
        world.distribute(DefaultRootObject="index.html")

        assert world.get("/").body == b"home"
        assert world.seen("/", "/index.html") == ["Hit", "Miss"]

    def test_no_root(self, world):
        """
        A folder other than the root has no default object.
        """
        world.bucket.put("dir/index.html", b"x")
        world.distribute(DefaultRootObject="index.html")

        assert world.get("/dir/").status == 404

    def test_origin_path(self, world):
        """
        Behind an origin path lies the bucket's folder.
        """
        world.bucket.put("live/a b", b"x")
        world.distribute(origin={"OriginPath": "/live"})

        assert world.get("/a%20b").body == b"x"

    def test_behavior(self, world):
        """
        A path pattern sends a path to its own origin.
        """
        default = {
            "TargetOriginId": "bucket",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        }
        bucket = {"Id": "bucket", "DomainName": "site.s3.amazonaws.com"}
        other = {"Id": "other", "DomainName": "other.s3.amazonaws.com"}
        listed = [default | {"PathPattern": "/img/*", "TargetOriginId": "other"}]
        world.distribute(
            Origins={"Quantity": 2, "Items": [bucket, other]},
            CacheBehaviors={"Quantity": 1, "Items": listed},
        )

        world.seen("/a", "/img/a", "/x/..//img/b")

        assert [(asked.bucket, asked.path) for asked in world.bucket.asked] == [
            ("site", "/a"),
            ("other", "/img/a"),
            ("other", "/x/..//img/b"),
        ]

    def test_updated(self, site):
        """
        A changed configuration is at the edge when it is deployed, and not before.
        """
        got = site.core.call("GetDistributionConfig", {"Id": site.id})
        config = got["DistributionConfig"] | {"Enabled": False}
        site.core.call(
            "UpdateDistribution",
            {"Id": site.id, "DistributionConfig": config, "IfMatch": got["ETag"]},
        )

        seen = []
        for seconds in (179, 1):
            site.clock.seconds += seconds
            seen.append(site.get("/a.html").status)

        assert seen == [200, 403]

    def test_unknown_host(self, site):
        """
        A host that no distribution has is refused, and the origin hears nothing.
        """
        answer = site.edge.fetch("GET", "www.example.com", "/a.html")

        assert (answer.status, answer.headers["x-cache"]) == (403, "Error from cloudfront")
        assert b"could not be satisfied" in answer.body
        assert site.bucket.asked == []

    def test_tenants_only(self, world):
        """
        A multi-tenant distribution serves nobody under its own name.
        """
        world.distribute(ConnectionMode="tenant-only")

        assert world.get("/a").status == 403

    def test_method(self, site):
        """
        A method that the behavior does not allow is refused.
        """
        assert site.get("/a.html", "DELETE").status == 403

    def test_other_method(self, world):
        """
        A method that is allowed, but never cached, goes to the origin each time.
        """
        methods = ["HEAD", "DELETE", "POST", "GET", "OPTIONS", "PUT", "PATCH"]
        cached = {"Quantity": 2, "Items": ["HEAD", "GET"]}
        world.bucket.put("a", b"x")
        world.distribute(
            behavior={
                "TargetOriginId": "bucket",
                "ViewerProtocolPolicy": "allow-all",
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
                "AllowedMethods": {"Quantity": 7, "Items": methods, "CachedMethods": cached},
            }
        )

        seen = [world.get("/a", "OPTIONS").headers["x-cache"] for _ in range(2)]

        assert seen == ["Miss from cloudfront"] * 2
        assert [asked.method for asked in world.bucket.asked] == ["OPTIONS", "OPTIONS"]


class TestErrors:
    def test_ten_seconds(self, site):
        """
        What is not there is remembered for ten seconds.
        """
        seen = []
        for seconds in (0, 9, 1):
            site.clock.seconds += seconds
            answer = site.get("/late.html")
            seen.append((answer.status, answer.headers["x-cache"]))
            site.bucket.put("late.html", b"x")

        assert seen == [
            (404, "Error from cloudfront"),
            (404, "Error from cloudfront"),
            (200, "Miss from cloudfront"),
        ]

    def test_invalidated(self, site):
        """
        An invalidation takes a remembered error as it takes an object.
        """
        site.get("/late.html")
        site.bucket.put("late.html", b"x")
        site.invalidate("/late.html")
        site.clock.seconds += 5

        assert site.get("/late.html").status == 200

    def test_custom_page(self, world):
        """
        A page may stand for an error, under another status and for another time.
        """
        custom = {
            "ErrorCode": 404,
            "ResponsePagePath": "/app.html",
            "ResponseCode": "200",
            "ErrorCachingMinTTL": 60,
        }
        world.bucket.put("app.html", b"app", content_type="text/html")
        world.distribute(CustomErrorResponses={"Quantity": 1, "Items": [custom]})

        answers = [world.get("/some/where") for _ in range(2)]
        world.clock.seconds += 59
        answers.append(world.get("/some/where"))

        assert [(one.status, one.body, one.headers["x-cache"]) for one in answers] == [
            (200, b"app", "Error from cloudfront")
        ] * 3
        assert len(world.bucket.asked) == 2

    def test_not_utf_8(self, site):
        """
        A path that cannot be a key is a bad request.
        """
        assert site.get("/%ff").status == 400


class TestInvalidation:
    def test_when(self, site):
        """
        It takes effect after its lag: neither when it is created nor when it is completed.
        """
        site.get("/a.html")
        site.bucket.put("a.html", b"new")
        site.invalidate("/a.html")

        seen = []
        for seconds in (0, 4.9, 0.1, 60):
            site.clock.seconds += seconds
            seen.append(site.get("/a.html").body)

        assert seen == [b"old", b"old", b"new", b"new"]

    def test_only_what_was_cached_before(self, site):
        """
        What is fetched after the effect stays, also while the invalidation is in progress.
        """
        site.get("/a.html")
        site.invalidate("/*")
        site.clock.seconds += 5

        assert site.seen("/a.html", "/a.html") == ["Miss", "Hit"]

    def test_only_what_is_named(self, site):
        """
        All other copies stay.
        """
        site.bucket.put("b.html", b"x")
        site.seen("/a.html", "/b.html")
        site.invalidate("/a.html")
        site.clock.seconds += 5

        assert site.seen("/a.html", "/b.html") == ["Miss", "Hit"]

    def test_long_ago(self, site):
        """
        A copy nobody asked for meanwhile has heard of all of them.
        """
        site.get("/a.html")
        for item in ("/b", "/a.html", "/c"):
            site.invalidate(item)
            site.clock.seconds += 60

        assert site.seen("/a.html", "/a.html") == ["Miss", "Hit"]

    def test_query(self, world):
        """
        A URL with a query is named with it, or by a star.
        """
        world.bucket.put("a", b"x")
        world.distribute(behavior=world.policy(QueryStringsConfig={"QueryStringBehavior": "all"}))
        targets = ("/a", "/a?v=1", "/a?v=2")
        seen = world.seen(*targets)
        for item in ("/a", "/a?v=2", "/a*"):
            world.invalidate(item)
            world.clock.seconds += 5
            seen += world.seen(*targets)

        miss, hit = "Miss", "Hit"
        assert seen == [
            *(miss, miss, miss),
            *(miss, hit, hit),
            *(hit, hit, miss),
            *(miss, miss, miss),
        ]

    def test_all_variants(self, world):
        """
        Copies that differ by a header or a cookie go together.
        """
        world.bucket.put("a", b"x")
        world.distribute(behavior=world.policy(CookiesConfig={"CookieBehavior": "all"}))
        for cookie in ("a=1", "a=2"):
            world.get("/a", Cookie=cookie)
        world.invalidate("/a")
        world.clock.seconds += 5

        seen = [world.get("/a", Cookie=cookie).headers["x-cache"][:4] for cookie in ("a=1", "a=2")]

        assert seen == ["Miss", "Miss"]

    def test_tag(self, world):
        """
        Where the distribution names a header, its tags take the objects that wear them.
        """
        world.bucket.put("a", b"x", x_amz_meta_cache_tag="Home, news")
        world.bucket.put("b", b"x", x_amz_meta_cache_tag="news")
        world.distribute(CacheTagConfig={"HeaderName": "X-Amz-Meta-Cache-Tag"})
        world.seen("/a", "/b")
        world.invalidate("#home")
        world.clock.seconds += 5

        assert world.seen("/a", "/b") == ["Miss", "Hit"]

    def test_tag_without_header(self, site):
        """
        Elsewhere a tag is accepted, and takes nothing.
        """
        site.bucket.put("a.html", b"x", x_amz_meta_cache_tag="home")
        site.get("/a.html")
        site.invalidate("#home")
        site.clock.seconds += 5

        assert site.seen("/a.html") == ["Hit"]

    def test_own_distribution(self, site):
        """
        Another distribution's copies are its own.
        """
        site.get("/a.html")
        host = site.host
        site.clock.seconds += 1
        site.distribute()
        site.get("/a.html")
        site.invalidate("/*")
        site.clock.seconds += 5

        assert site.seen("/a.html") == ["Miss"]
        site.host = host
        assert site.seen("/a.html") == ["Hit"]

    def test_during_a_fetch(self, site):
        """
        A fetch that began before the effect leaves no copy that outlives it.
        """

        def slow(asked):
            answer = site.bucket(asked)
            if asked.key == "a.html" and answer.body == b"old":
                site.bucket.put("a.html", b"new")
                site.invalidate("/a.html")
                site.clock.seconds += 5
                # Another viewer, so that the edge learns of it in the meantime.
                site.get("/b.html")
            return answer

        site.edge = Edge(site.core, origin=slow, now=site.clock)

        assert [site.get("/a.html").body for _ in range(2)] == [b"old", b"new"]


class TestThreads:
    def test_collapsed(self, site):
        """
        Many viewers who want the same at once cost the origin one request.
        """
        asked = []
        gate = threading.Event()

        def origin(request):
            asked.append(request)
            gate.wait(5)
            return OriginResponse(200, {}, b"x")

        edge = Edge(site.core, origin=origin, now=site.clock)
        viewers = [
            threading.Thread(target=edge.fetch, args=("GET", site.host, "/a.html"))
            for _ in range(8)
        ]
        for viewer in viewers:
            viewer.start()
        gate.set()
        for viewer in viewers:
            viewer.join()

        assert len(asked) == 1
