"""The parameters of a signature are taken from a request to the letter, each once."""

import pytest

from cdn.diagnosis import signature_parameters
from cdn.errors import MalformedError

BASE = "https://d1.cloudfront.net/a.jpg"


class TestFromUrl:
    def test_rest(self):
        """
        What is not CloudFront's own stays where it was, in its order and its encoding.
        """
        url = f"{BASE}?b=%20&Expires=5&a=1&Signature=s~&a=1#Policy=p"

        assert signature_parameters.from_url(url) == (
            f"{BASE}?b=%20&a=1&a=1",
            {"Expires": "5", "Signature": "s~"},
        )

    def test_twice(self):
        """
        One that comes twice is refused by its name.
        """
        with pytest.raises(MalformedError, match="Expires comes twice"):
            signature_parameters.from_url(f"{BASE}?Expires=1&Expires=1")


class TestFromCookies:
    @pytest.mark.parametrize(
        "cookies",
        [
            "Cookie: a=b; CloudFront-Expires=5;CloudFront-Signature=s~; CloudFront-Other=x",
            {"a": "b", "CloudFront-Expires": "5", "CloudFront-Signature": "s~"},
        ],
    )
    def test_forms(self, cookies):
        """
        A header and a mapping give the same.
        """
        assert signature_parameters.from_cookies(cookies) == {"Expires": "5", "Signature": "s~"}

    def test_twice(self):
        """
        One that comes twice is refused by its name.
        """
        with pytest.raises(MalformedError, match="Policy comes twice"):
            signature_parameters.from_cookies("CloudFront-Policy=a; CloudFront-Policy=b")


class TestHashAlgorithm:
    def test_unknown(self):
        """
        CloudFront reads it to the letter, so that small letters name none.
        """
        with pytest.raises(MalformedError, match="Hash-Algorithm must be SHA1 or SHA256"):
            signature_parameters.hash_algorithm({"Hash-Algorithm": "sha256"})


class TestPolicyOf:
    def test_canned(self):
        """
        Without a policy it is the one that CloudFront writes of the URL and its expiry.
        """
        policy, message = signature_parameters.policy_of(BASE, {"Expires": "5"})

        assert (policy.resource, policy.expires_at_s) == (BASE, 5)
        assert message == (
            b'{"Statement":[{"Resource":"https://d1.cloudfront.net/a.jpg",'
            b'"Condition":{"DateLessThan":{"AWS:EpochTime":5}}}]}'
        )

    @pytest.mark.parametrize("expires", ["", "05", "+5", "5.0", "1e3", "\u0665", "1" * 20])
    def test_no_number(self, expires):
        """
        An expiry that is no whole number in plain digits is refused.
        """
        with pytest.raises(MalformedError, match="Expires must be a whole number"):
            signature_parameters.policy_of(BASE, {"Expires": expires})

    def test_two(self):
        """
        A policy and an expiry overlap.
        """
        with pytest.raises(MalformedError, match="two signatures overlap"):
            signature_parameters.policy_of(BASE, {"Expires": "5", "Policy": "e30_"})
