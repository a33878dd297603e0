"""Public keys are found by name and by what they are, however often they are asked for."""

from random import Random

import pytest

from cdn.cloudfront import public_keys
from cdn.errors import RetryLaterError
from cdn.signing import key_pairs
from local.cloudfront import Quotas
from local.cloudfront.core import CloudFront


@pytest.fixture
def pem(private_keys):
    return key_pairs.public_pem(private_keys["ECDSA-P256"])


class TestCreate:
    def test_once(self, account, pem):
        """
        A key is created once under its name, whatever newline ends the PEM.
        """
        first = public_keys.create(account.client, name="one", pem=pem)
        again = public_keys.create(account.client, name="one", pem=pem.strip())

        assert first == again
        assert [key.id for key in public_keys.list_all(account.client)] == [first]

    def test_name_taken(self, account, pem, strangers):
        """
        A name that another key has is not taken for the key.
        """
        other = key_pairs.public_pem(strangers["ECDSA-P256"])
        public_keys.create(account.client, name="one", pem=other)

        with pytest.raises(RetryLaterError, match="PublicKeyAlreadyExists"):
            public_keys.create(account.client, name="one", pem=pem)

    def test_no_room(self, account, time_source, pem):
        """
        An account with ten keys has no room for now.
        """
        account.core = CloudFront(now=time_source, random=Random(1), quotas=Quotas(public_keys=0))

        with pytest.raises(RetryLaterError, match="TooManyPublicKeys"):
            public_keys.create(account.client, name="one", pem=pem)


class TestListAll:
    def test_pages(self, account, private_keys):
        """
        Every page is read, and each key has its fingerprint.
        """
        for number in range(3):
            pem = key_pairs.public_pem(private_keys["ECDSA-P256"])
            public_keys.create(account.client, name=f"n{number}", pem=pem)

        found = public_keys.list_all(account.client)

        assert [key.name for key in found] == ["n0", "n1", "n2"]
        assert len({key.fingerprint for key in found}) == 1
        assert public_keys.fingerprint(found[0].pem) == found[0].fingerprint


class TestDelete:
    def test_in_use(self, account, pem):
        """
        A key that a group names is not deleted now.
        """
        made = public_keys.create(account.client, name="one", pem=pem)
        account.core.call("CreateKeyGroup", {"KeyGroupConfig": {"Name": "g", "Items": [made]}})

        with pytest.raises(RetryLaterError, match="PublicKeyInUse"):
            public_keys.delete(account.client, made)

    def test_gone(self, account, pem):
        """
        One that does not exist is passed over.
        """
        made = public_keys.create(account.client, name="one", pem=pem)
        public_keys.delete(account.client, made)

        public_keys.delete(account.client, made)

        assert public_keys.list_all(account.client) == ()
