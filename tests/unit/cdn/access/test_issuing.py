"""What is signed is never wider, longer or elsewhere than what was allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn.access import grants, issuing, url_patterns
from cdn.access.grants import Allow
from cdn.access.issuing import Signature
from cdn.errors import PolicyError, UrlPatternError
from cdn.signing import key_pairs, urls


class TestExpiry:
    @given(st.floats(1e9, 4e9), st.integers(1, grants.MAX_LIFETIME_S))
    def test_bounds(self, now_s, lifetime_s):
        """
        An expiry lies in the future, is never later than allowed, and hardly earlier.
        """
        expires_at_s = issuing.expiry(now_s, lifetime_s)

        assert now_s < expires_at_s <= now_s + lifetime_s
        assert expires_at_s >= int(now_s + lifetime_s - lifetime_s / 10 - 1)


class TestEncoding:
    @given(st.text("ab/%2.é +&=?;'\"(~*", max_size=20))
    def test_agree(self, text):
        """
        What the grants check is, to the letter, what is signed.
        """
        try:
            url_pattern = url_patterns.read(f"https://media.example.com/{text}")
        except UrlPatternError:
            return

        assert urls.encode(url_pattern.text) == url_pattern.text


class TestSignature:
    @pytest.mark.parametrize("path", ["a.jpg", "*"])
    @pytest.mark.parametrize("sign", [Signature.url, Signature.policy])
    @pytest.mark.parametrize("later_s", [600, 601, -1])
    def test_lifetime(self, path, sign, later_s):
        """
        A signature that was made before is not given away after it, nor for longer than allowed.
        """
        private_key = key_pairs.generate("ECDSA-P256")
        signer = key_pairs.signer(private_key, key_id="K1", hash_algorithm="SHA256")
        allow = Allow(f"https://media.example.com/{path}", 600, bind_ip=False, grant="own")
        signature = Signature(allow, expires_at_s=1_600)
        assert sign(signature, signer, now_s=1_000) == sign(signature, signer, now_s=1_599)

        with pytest.raises(PolicyError):
            sign(signature, signer, now_s=1_000 + later_s)
