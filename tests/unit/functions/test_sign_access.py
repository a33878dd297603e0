"""What the signing handler caches. Requests of whole APIs are in tests/local/access."""

import json

import pytest

from cdn.errors import UnavailableError
from cdn.signing import key_pairs
from functions.sign_access import app


class TestCaches:
    def test_same_secret(self):
        """
        A secret that is read again and has not changed stays the same key, loaded once.
        """
        texts = [secret("K1"), secret("K1"), secret("K2")]

        first, again, other = map(app._signer, texts)

        assert first is again
        assert other.key_id == "K2"

    def test_bad_secret(self):
        """
        A bad secret is not remembered in place of a good one.
        """
        good = app._signer(secret("K1"))

        with pytest.raises(UnavailableError):
            app._signer('{"key_id": "K1"}')

        assert app._signer(secret("K1")) is good

    def test_same_grants(self):
        """
        Grants that are read again and have not changed keep what they remember.
        """
        assert app._grants('{"version": 1, "grants": []}') is app._grants(
            '{"version": 1, "grants": []}'
        )


KEY = key_pairs.generate("ECDSA-P256")


def secret(key_id):
    return json.dumps({"key_id": key_id, "private_key": key_pairs.private_pem(KEY)})
