"""Tests of local.edge.edge: what a viewer sees, and when."""

import base64
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from local.edge import Edge, OriginResponse

OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"


def encoded(raw):
    return base64.b64encode(raw).decode().translate(str.maketrans("+=/", "-_~"))


class TestFetch:
    def test_hit(self, site):
        """
        The second viewer gets the first one's copy, and learns how old it is.
        """
        first = site.get("/a.html")
        site.bucket.put("a.html", b"new")
        site.virtual_time.seconds += 12.7
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
            site.virtual_time.seconds += seconds
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
            site.virtual_time.seconds += seconds
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


class TestProtocol:
    @pytest.mark.parametrize(
        ("policy", "scheme", "method", "status"),
        [
            ("allow-all", "http", "GET", 200),
            ("allow-all", "https", "GET", 200),
            ("redirect-to-https", "http", "GET", 301),
            ("redirect-to-https", "http", "HEAD", 301),
            ("redirect-to-https", "http", "POST", 307),
            ("redirect-to-https", "https", "GET", 200),
            ("https-only", "http", "GET", 403),
            ("https-only", "https", "GET", 200),
        ],
    )
    def test_policy(self, world, policy, scheme, method, status):
        """
        A behavior takes both protocols, sends viewers to https, or refuses http.
        """
        world.bucket.put("a", b"x")
        world.distribute(
            behavior={
                "TargetOriginId": "bucket",
                "ViewerProtocolPolicy": policy,
                "CachePolicyId": OPTIMIZED,
            }
        )

        assert world.get("/a", method, scheme=scheme).status == status

    @pytest.mark.parametrize(
        ("target", "location"),
        [
            ("/a//b?x=%20+&y", "/a//b?x=%20+&y"),
            ("/\udcc3\udcbc", "/%C3%BC"),
        ],
    )
    def test_location(self, world, target, location):
        """
        The redirect names the same target, in letters that a header can hold.
        """
        world.distribute(
            behavior={
                "TargetOriginId": "bucket",
                "ViewerProtocolPolicy": "redirect-to-https",
                "CachePolicyId": OPTIMIZED,
            }
        )

        headers = world.get(target, scheme="http").headers

        assert headers["location"] == f"https://{world.host}{location}"
        assert headers["x-cache"] == "Redirect from cloudfront"
        assert world.bucket.asked == []


class TestPrivate:
    @pytest.fixture
    def sign(self, world, private_keys):
        """
        Sign a URL of the world's distribution, with a canned policy and an hour to live.
        """

        def sign(target, *, host="", key=0):
            url = f"https://{host or world.host}{target}"
            expires = int(world.virtual_time.seconds) + 3_600
            condition = f'{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}'
            policy = f'{{"Statement":[{{"Resource":"{url}","Condition":{condition}}}]}}'
            raw = private_keys["ecdsa"].sign(policy.encode(), ec.ECDSA(SHA256()))
            return {
                "Expires": expires,
                "Signature": encoded(raw),
                "Key-Pair-Id": world.keys[key],
                "Hash-Algorithm": "SHA256",
            }

        return sign

    @pytest.fixture
    def signed(self, sign):
        def signed(target, **more):
            query = "&".join(f"{name}={value}" for name, value in sign(target, **more).items())
            return f"{target}{'&' if '?' in target else '?'}{query}"

        return signed

    @pytest.fixture
    def cookies(self, sign):
        def cookies(target):
            pairs = sign(target).items()
            return "; ".join(f"CloudFront-{name}={value}" for name, value in pairs)

        return cookies

    @pytest.fixture
    def private(self, world, pems):
        """
        A distribution that serves nothing without a signature, known at the edges.
        """
        world.bucket.put("a.jpg", b"private", content_type="image/jpeg")
        world.distribute(behavior=world.trust(pems["ecdsa"], pems["rsa"]))
        world.virtual_time.seconds += 30
        return world

    def test_unsigned(self, private):
        """
        Without a signature there is an XML document, and the origin hears nothing.
        """
        answer = private.get("/a.jpg")

        assert (answer.status, answer.headers["content-type"]) == (403, "text/xml")
        assert answer.headers["x-cache"] == "Error from cloudfront"
        assert answer.body == (
            b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>MissingKey</Code>'
            b"<Message>Missing Key-Pair-Id query parameter or cookie value</Message></Error>"
        )
        assert private.bucket.asked == []

    def test_codes(self, private, signed):
        """
        Each kind of denial has its code.
        """
        good = signed("/a.jpg")
        bad = {
            "InvalidKey": good.replace(private.keys[0], "K0"),
            "AccessDenied": good.replace("Expires=", "Expires=1"),
            "MalformedPolicy": good.replace("Expires=", "Expires=x"),
            "MalformedSignature": good.replace("Signature=", "Signature=!"),
        }

        for code, target in bad.items():
            answer = private.get(target)

            assert answer.status == 403
            assert f"<Code>{code}</Code>".encode() in answer.body

    def test_signed(self, private, signed, cookies):
        """
        A signed URL opens, and so do signed cookies.
        """
        assert private.get(signed("/a.jpg")).body == b"private"
        assert private.get("/a.jpg", Cookie=cookies("/a.jpg")).body == b"private"

    def test_one_copy(self, private, signed, cookies):
        """
        However it was signed, the object is cached once, and checked each time.
        """
        seen = private.seen(signed("/a.jpg"))
        private.virtual_time.seconds += 1
        seen += private.seen(signed("/a.jpg"))
        answer = private.get("/a.jpg", Cookie=cookies("/a.jpg"))

        assert seen == ["Miss", "Hit"]
        assert answer.headers["x-cache"] == "Hit from cloudfront"
        assert private.get("/a.jpg").status == 403

    def test_origin_sees_the_rest(self, world, pems, signed):
        """
        The origin gets the viewer's own parameters and cookies, not CloudFront's.
        """
        behavior = world.policy(
            QueryStringsConfig={"QueryStringBehavior": "all"},
            CookiesConfig={"CookieBehavior": "all"},
        )
        world.bucket.put("a.jpg", b"x")
        world.distribute(behavior=world.trust(pems["ecdsa"]) | behavior)
        world.virtual_time.seconds += 30

        answer = world.get(signed("/a.jpg?b=2&a=1"), Cookie="x=1; CloudFront-Policy=p")

        asked = world.bucket.asked[0]
        assert answer.status == 200
        assert asked.query == "b=2&a=1"
        assert asked.headers.pop("x-amz-cf-id")
        assert asked.headers == {"cookie": "x=1"}

    @pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
    def test_methods(self, world, pems, method):
        """
        Every method is checked but OPTIONS.
        """
        methods = ["HEAD", "DELETE", "POST", "GET", "OPTIONS", "PUT", "PATCH"]
        world.bucket.put("a.jpg", b"x")
        allowed = {"Quantity": 7, "Items": methods}
        world.distribute(behavior=world.trust(pems["ecdsa"], AllowedMethods=allowed))

        status = world.get("/a.jpg", method).status

        assert status == (200 if method == "OPTIONS" else 403)

    def test_other_behavior(self, world, pems, signed):
        """
        Behaviors that trust nobody serve anybody, CloudFront's names in the query or not.
        """
        world.bucket.put("open/a", b"open")
        private = world.trust(pems["ecdsa"])
        public = {"TrustedKeyGroups": {"Enabled": False, "Quantity": 0}, "PathPattern": "/open/*"}
        world.distribute(
            behavior=private, CacheBehaviors={"Quantity": 1, "Items": [private | public]}
        )

        assert world.get("/open/a").body == b"open"
        assert world.get("/open/a?Signature=x").body == b"open"
        assert world.get("/open/../a").status == 403

    def test_alias(self, world, pems, signed):
        """
        A signature holds for the name that was signed, not for another of the distribution.
        """
        world.bucket.put("a.jpg", b"x")
        aliases = {"Quantity": 1, "Items": ["www.example.com"]}
        world.distribute(behavior=world.trust(pems["ecdsa"]), Aliases=aliases)
        world.virtual_time.seconds += 30
        target = signed("/a.jpg", host="www.example.com")

        seen = [
            world.edge.fetch("GET", host, target).status
            for host in ("www.example.com", "www.example.com:443", world.host)
        ]

        assert seen == [200, 200, 403]

    def test_scheme(self, private, signed):
        """
        What was signed for https does not open over http.
        """
        assert private.get(signed("/a.jpg"), scheme="http").status == 403

    def test_address(self, private, private_keys):
        """
        The viewer's address is that of the connection.
        """
        policy = (
            b'{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":9999999999},'
            b'"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"}}}]}'
        )
        signature = private_keys["ecdsa"].sign(policy, ec.ECDSA(SHA256()))
        target = (
            f"/a.jpg?Policy={encoded(policy)}&Signature={encoded(signature)}"
            f"&Key-Pair-Id={private.keys[0]}&Hash-Algorithm=SHA256"
        )

        seen = [private.get(target, address=a).status for a in ("192.0.2.9", "198.51.100.9")]

        assert seen == [200, 403]

    def test_new_key(self, world, pems, signed):
        """
        A key that joins the group opens when the edges know it, one that leaves until they do.
        """
        world.bucket.put("a.jpg", b"x")
        world.distribute(behavior=world.trust(pems["ecdsa"], pems["rsa"]))
        codes = [world.get(signed("/a.jpg")).body]
        world.virtual_time.seconds += 30
        codes.append(world.get(signed("/a.jpg")).body)
        world.regroup(world.keys[1])
        world.virtual_time.seconds += 29
        codes.append(world.get(signed("/a.jpg")).body)
        world.virtual_time.seconds += 1
        codes.append(world.get(signed("/a.jpg")).body)

        assert [b"Unknown Key" in body for body in codes] == [True, False, False, True]
        assert codes[1:3] == [b"x", b"x"]

    def test_other_group(self, private, pems, signed):
        """
        A key of a group that the behavior does not trust is unknown.
        """
        config = {"Name": "other", "Items": private.keys[:1]}
        private.core.call("CreateKeyGroup", {"KeyGroupConfig": config})
        private.regroup(private.keys[1])
        private.virtual_time.seconds += 30

        assert b"Unknown Key" in private.get(signed("/a.jpg")).body

    def test_custom_page(self, world, pems):
        """
        A distribution's own page may stand for the 403.
        """
        custom = {"ErrorCode": 403, "ResponsePagePath": "/login.html", "ResponseCode": "403"}
        world.bucket.put("login.html", b"sign in")
        world.distribute(
            behavior=world.trust(pems["ecdsa"]),
            CustomErrorResponses={"Quantity": 1, "Items": [custom]},
        )

        answer = world.get("/a.jpg")

        assert (answer.status, answer.body) == (403, b"sign in")

    def test_cors(self, private, signed):
        """
        A page that the policy names may read what is open, not what the edge refuses.
        """
        page = "https://app.example.com"
        cors = {
            "AccessControlAllowOrigins": {"Quantity": 1, "Items": [page]},
            "AccessControlAllowHeaders": {"Quantity": 1, "Items": ["*"]},
            "AccessControlAllowMethods": {"Quantity": 1, "Items": ["GET"]},
            "AccessControlAllowCredentials": True,
            "OriginOverride": True,
        }
        sent = {"ResponseHeadersPolicyConfig": {"Name": "pages", "CorsConfig": cors}}
        made = private.core.call("CreateResponseHeadersPolicy", sent)
        got = private.core.call("GetDistributionConfig", {"Id": private.id})
        behavior = got["DistributionConfig"]["DefaultCacheBehavior"]
        behavior["ResponseHeadersPolicyId"] = made["ResponseHeadersPolicy"]["Id"]
        sent = {"Id": private.id, "IfMatch": got.pop("ETag"), **got}
        private.core.call("UpdateDistribution", sent)
        private.virtual_time.seconds += 180

        answers = [private.get(signed("/a.jpg"), Origin=page) for _ in range(2)]
        answers.append(private.get("/a.jpg", Origin=page))

        allowed = [one.headers.get("access-control-allow-origin") for one in answers]
        assert [one.status for one in answers] == [200, 200, 403]
        assert allowed == [page, page, None]


class TestErrors:
    def test_ten_seconds(self, site):
        """
        What is not there is remembered for ten seconds.
        """
        seen = []
        for seconds in (0, 9, 1):
            site.virtual_time.seconds += seconds
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
        site.virtual_time.seconds += 5

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
        world.virtual_time.seconds += 59
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
            site.virtual_time.seconds += seconds
            seen.append(site.get("/a.html").body)

        assert seen == [b"old", b"old", b"new", b"new"]

    def test_only_what_was_cached_before(self, site):
        """
        What is fetched after the effect stays, also while the invalidation is in progress.
        """
        site.get("/a.html")
        site.invalidate("/*")
        site.virtual_time.seconds += 5

        assert site.seen("/a.html", "/a.html") == ["Miss", "Hit"]

    def test_only_what_is_named(self, site):
        """
        All other copies stay.
        """
        site.bucket.put("b.html", b"x")
        site.seen("/a.html", "/b.html")
        site.invalidate("/a.html")
        site.virtual_time.seconds += 5

        assert site.seen("/a.html", "/b.html") == ["Miss", "Hit"]

    def test_long_ago(self, site):
        """
        A copy nobody asked for meanwhile has outlived all of them.
        """
        site.get("/a.html")
        for item in ("/b", "/a.html", "/c"):
            site.invalidate(item)
            site.virtual_time.seconds += 60

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
            world.virtual_time.seconds += 5
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
        world.virtual_time.seconds += 5

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
        world.virtual_time.seconds += 5

        assert world.seen("/a", "/b") == ["Miss", "Hit"]

    def test_tag_without_header(self, site):
        """
        Elsewhere a tag is accepted, and takes nothing.
        """
        site.bucket.put("a.html", b"x", x_amz_meta_cache_tag="home")
        site.get("/a.html")
        site.invalidate("#home")
        site.virtual_time.seconds += 5

        assert site.seen("/a.html") == ["Hit"]

    def test_own_distribution(self, site):
        """
        Another distribution's copies are its own.
        """
        site.get("/a.html")
        host = site.host
        site.virtual_time.seconds += 1
        site.distribute()
        site.get("/a.html")
        site.invalidate("/*")
        site.virtual_time.seconds += 5

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
                site.virtual_time.seconds += 5
                # Another viewer, so that the edge learns of it in the meantime.
                site.get("/b.html")
            return answer

        site.edge = Edge(site.core, origin=slow, now=site.virtual_time)

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

        edge = Edge(site.core, origin=origin, now=site.virtual_time)
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
