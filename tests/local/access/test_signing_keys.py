"""What signs, and what it has to do with time, addresses, topologies, and keys that change."""

import json

import pytest

from cdn.signing import key_pairs, signing_secret
from local.faults import Does, Rule
from tests.local import signed

OWN = f"https://{signed.HOST}/users/42/a.jpg"
FOLDER = f"https://{signed.HOST}/users/42/*"
OTHERS = f"https://{signed.HOST}/users/43/a.jpg"
BOUND = f"https://{signed.HOST}/bound/a.jpg"


@pytest.fixture
def cloud():
    with signed.running() as cloud:
        yield cloud


class TestUrls:
    def test_expires(self, cloud):
        """
        It opens until it expires, which is never later than asked for, and then no more.
        """
        answer = cloud.urls(OWN, expires_in=100)
        (one,) = answer.body["signed"]

        assert answer.body["now"] + 90 <= one["expires_at"] <= answer.body["now"] + 100
        cloud.world.virtual_time.jump_to(one["expires_at"] - 1)
        assert cloud.fetch(one["url"]).status == 200
        cloud.world.virtual_time.jump_to(one["expires_at"])
        assert cloud.fetch(one["url"]).status == 403

    def test_starts(self, cloud):
        """
        It opens from a minute before its start on, since clocks differ.
        """
        now = cloud.urls(OWN).body["now"]
        (one,) = cloud.urls(OWN, starts_at=now + 600).body["signed"]

        assert cloud.fetch(one["url"]).status == 403
        cloud.world.virtual_time.jump_to(now + 541)
        assert cloud.fetch(one["url"]).status == 200

    def test_bound(self):
        """
        What is bound to an address opens from there alone.
        """
        with signed.running(parameters={"ViewerAddress": "connection"}) as cloud:
            (one,) = cloud.urls(BOUND, by_cloudfront=False).body["signed"]

            assert cloud.fetch(one["url"], address="192.0.2.7").status == 200
            assert cloud.fetch(one["url"], address="192.0.2.8").status == 403


class TestCookies:
    def test_several(self, cloud):
        """
        Several folders get a set each, which do not meet.
        """
        document = json.loads(json.dumps(signed.GRANTS))
        document["grants"][0]["path_templates"] = [f"https://{{host}}/{one}/*" for one in "ab"]
        cloud.grant(document)
        cloud.world.virtual_time.advance(61)

        answer = cloud.cookies(*(f"https://{signed.HOST}/{one}/*" for one in "ab"))

        assert [one["path"] for one in answer.body["cookies"]] == ["/a/", "/b/"]
        assert answer.sent_back("/a/1") != answer.sent_back("/b/1")
        assert len(answer.sent_back("/a/1")) == 4

    def test_domain(self):
        """
        With a shared parent domain, cookies are for that domain.
        """
        parameters = {"CookieHost": "", "CookieDomain": "example.com"}
        with signed.running(parameters=parameters) as cloud:
            answer = cloud.cookies(FOLDER)

            assert all("; Domain=example.com; " in one for one in answer.set_cookies)
            assert cloud.cookies("https://media.example.org/users/42/*").status == 409

    def test_cross_site(self):
        """
        For pages of other sites they are kept apart for each, and cleared so too.
        """
        with signed.running(parameters={"CrossSitePages": "yes"}) as cloud:
            for answer in (cloud.cookies(FOLDER), cloud.clear(FOLDER)):
                assert answer.set_cookies
                for one in answer.set_cookies:
                    assert "; SameSite=None; Partitioned" in one


class TestKeys:
    @pytest.mark.parametrize("kind", ["RSA-2048", "ECDSA-P256"])
    @pytest.mark.parametrize("algorithm", ["SHA1", "SHA256"])
    def test_kinds(self, kind, algorithm):
        """
        Both kinds of key open with either hash, by URL and by cookies.
        """
        with signed.running(key=kind, algorithm=algorithm) as cloud:
            (one,) = cloud.urls(OWN).body["signed"]
            cookies = cloud.cookies(FOLDER).sent_back("/users/42/a.jpg")

            assert cloud.fetch(one["url"]).status == 200
            assert cloud.fetch(OWN, cookies=cookies).status == 200

    @pytest.mark.parametrize(
        ("kind", "spec"), [("ECDSA-P256", "ECC_NIST_P256"), ("RSA-2048", "RSA_2048")]
    )
    def test_kms(self, kind, spec):
        """
        A key that never leaves KMS opens as well.
        """
        with signed.running(parameters={"SigningKeys": "kms"}) as cloud:
            kms = cloud.world.client("kms")
            tags = [{"TagKey": "cloudfront-autopilot", "TagValue": "autopilot"}]
            made = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec=spec, Tags=tags)["KeyMetadata"]
            der = kms.get_public_key(KeyId=made["KeyId"])["PublicKey"]
            key_id = cloud.trust(signed.pem_of(der), "kms")
            secret = {"key_id": key_id, "kms_key": made["Arn"], "kind": kind}
            cloud.keep(secret)
            cloud.world.run(limit_s=120)

            (one,) = cloud.urls(OWN).body["signed"]
            assert f"Key-Pair-Id={key_id}&" in one["url"]
            assert cloud.fetch(one["url"]).status == 200

    def test_placeholder(self, cloud):
        """
        As long as there is no key, the answer is to come again later.
        """
        cloud.keep(signing_secret.PLACEHOLDER)
        cloud.world.virtual_time.advance(61)

        # The key that was there is kept while none can be read, as if Secrets Manager failed.
        cloud.world.virtual_time.advance(900)
        answer = cloud.urls(OWN, token=cloud.token())

        assert answer.status == 503
        assert answer.header("retry-after") == "60"

    def test_rotated(self, cloud):
        """
        A new key signs within a minute, without a failed request.
        """
        new = key_pairs.generate("ECDSA-P256")
        key_id = cloud.trust(key_pairs.public_pem(new), "second")
        cloud.world.run(limit_s=60)
        cloud.keep({"key_id": key_id, "private_key": key_pairs.private_pem(new)})

        statuses, ids = [], []
        for _ in range(61):
            (one,) = cloud.urls(OWN).body["signed"]
            statuses.append(cloud.fetch(one["url"]).status)
            ids.append(key_id in one["url"])
            cloud.world.virtual_time.advance(1)

        assert set(statuses) == {200}
        assert ids[-1]

    def test_refresh(self, cloud):
        """
        Whoever got a 403 has the key read again at once, but not again and again.
        """
        cloud.urls(OWN)
        cloud.world.virtual_time.advance(6)
        new = key_pairs.generate("ECDSA-P256")
        cloud.keep({"key_id": "KNEW", "private_key": key_pairs.private_pem(new)})

        def reads():
            return sum(call.operation == "GetSecretValue" for call in cloud.world.faults.calls)

        before = reads()
        (one,) = cloud.urls(OWN, refresh=True).body["signed"]
        for _ in range(10):
            cloud.urls(OWN, refresh=True)

        assert "Key-Pair-Id=KNEW" in one["url"]
        assert reads() == before + 1

    def test_secrets_manager_fails(self, cloud):
        """
        While Secrets Manager fails, the key that is there goes on for 15 minutes, and no longer.
        """
        cloud.urls(OWN)
        cloud.world.faults.rules.append(
            Rule(does=Does.FAIL, operation="GetSecretValue", times=None)
        )
        cloud.world.virtual_time.advance(890)
        assert cloud.urls(OWN, token=cloud.token()).status == 200
        cloud.world.virtual_time.advance(11)

        answer = cloud.urls(OWN, token=cloud.token())

        assert answer.status == 503
        assert int(answer.header("retry-after")) > 0

    @pytest.mark.parametrize("document", ["{}", "no json", '{"version": 1, "grants": [{}]}'])
    def test_bad_grants(self, cloud, document):
        """
        By grants that make no sense, nothing is signed.
        """
        cloud.grant(document)

        assert cloud.urls(OWN).status == 503

    def test_grants_withdrawn(self, cloud):
        """
        What is withdrawn opens nothing new after a minute.
        """
        assert cloud.urls(OWN).status == 200
        cloud.grant({"version": 1, "grants": []})
        cloud.world.virtual_time.advance(61)

        assert cloud.urls(OWN).status == 403


class TestSecrecy:
    def test_no_secret(self, capfd):
        """
        Neither keys nor signatures nor policies nor tokens are in any line or problem.
        """
        with signed.running() as cloud:
            token = cloud.token()
            signed_urls = cloud.urls(OWN, FOLDER, token=token).body["signed"]
            cookies = cloud.cookies(FOLDER, token=token).sent_back("/users/42/")
            problems = [
                cloud.urls(OTHERS, token=token).body,
                cloud.ask("POST", "/signed-urls", "x", token=token).body,
            ]
            pem = key_pairs.private_pem(signed.private_key())
            cloud.keep({"key_id": "K1", "private_key": pem[:100]})
            cloud.world.virtual_time.advance(901)
            problems.append(cloud.urls(OWN, token=cloud.token()).body)

            said = capfd.readouterr()
            text = said.out + said.err + json.dumps(problems)

        assert problems[-1]["status"] == 503
        secret = [token, *pem.splitlines()[1:-1]]
        for one in signed_urls:
            query = one.get("url", "?").partition("?")[2] or one.get("query", "")
            secret += [
                pair.partition("=")[2]
                for pair in query.split("&")
                if pair.startswith(("Signature", "Policy"))
            ]
        secret += [
            pair.partition("=")[2]
            for pair in cookies
            if pair.startswith(("CloudFront-Signature", "CloudFront-Policy"))
        ]
        assert len(secret) >= 8
        assert [one for one in secret if one in text] == []
