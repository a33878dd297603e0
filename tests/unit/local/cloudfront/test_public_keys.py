"""Tests of local.cloudfront.public_keys."""

from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local.cloudfront import ServiceError


def config_of(pem, name="first", **changes):
    return {"CallerReference": name, "Name": name, "EncodedKey": pem, **changes}


@pytest.fixture
def upload(core, pems):
    def upload(name="first", pem=pems["ecdsa"], **changes):
        sent = {"PublicKeyConfig": config_of(pem, name, **changes)}
        return core.call("CreatePublicKey", sent)

    return upload


def pem_of(key, encoding=Encoding.PEM, form=PublicFormat.SubjectPublicKeyInfo):
    return key.public_key().public_bytes(encoding, form).decode()


def refused(core, operation, **sent):
    with pytest.raises(ServiceError) as refused:
        core.call(operation, sent)
    return refused.value.code, refused.value.status


class TestCreate:
    @pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
    def test_kinds(self, core, pems, upload, virtual_time, kind):
        """
        Both kinds of key are taken, and have an id that starts with K.
        """
        made = upload(pem=pems[kind])["PublicKey"]

        assert made["Id"].startswith("K")
        assert len(made["Id"]) == 14
        assert made["PublicKeyConfig"]["EncodedKey"] == pems[kind]
        assert made["CreatedTime"].timestamp() == virtual_time.seconds

    def test_rewritten(self, pems, upload):
        """
        The key comes back in lines of 64, the last one ended, however it was sent.
        """
        first, *middle, last = pems["rsa"].splitlines()
        sent = "\n".join([first, "".join(middle), last])

        made = upload(pem=sent)["PublicKey"]

        assert made["PublicKeyConfig"]["EncodedKey"] == pems["rsa"]

    @pytest.mark.parametrize(
        "pem",
        [
            "junk",
            "",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n",
        ],
    )
    def test_no_key(self, core, pem):
        """
        What is no key is refused.
        """
        answer = refused(core, "CreatePublicKey", PublicKeyConfig=config_of(pem))

        assert answer == ("InvalidArgument", 400)

    @pytest.mark.parametrize(
        "generate",
        [
            partial(rsa.generate_private_key, 65_537, 1024),
            partial(ec.generate_private_key, ec.SECP384R1()),
            partial(ec.generate_private_key, ec.SECP256K1()),
            ed25519.Ed25519PrivateKey.generate,
        ],
        ids=["rsa-1024", "p-384", "secp256k1", "ed25519"],
    )
    def test_other_kinds(self, core, generate):
        """
        Other sizes, curves and algorithms are refused.
        """
        answer = refused(core, "CreatePublicKey", PublicKeyConfig=config_of(pem_of(generate())))

        assert answer == ("InvalidArgument", 400)

    def test_other_forms(self, core, private_keys, pems):
        """
        An RSA key as PKCS#1 is refused, and so are two keys at once.
        """
        pkcs1 = pem_of(private_keys["rsa"], form=PublicFormat.PKCS1)

        for pem in (pkcs1, pems["rsa"] + pems["ecdsa"]):
            answer = refused(core, "CreatePublicKey", PublicKeyConfig=config_of(pem))

            assert answer == ("InvalidArgument", 400)

    def test_name_is_taken(self, core, pems, upload):
        """
        A name belongs to one key, whatever the key.
        """
        upload("first")

        answer = refused(core, "CreatePublicKey", PublicKeyConfig=config_of(pems["rsa"], "first"))

        assert answer == ("PublicKeyAlreadyExists", 409)

    def test_too_many(self, core, pems, upload):
        """
        An account has at most ten keys, and may replace one that it deletes.
        """
        made = [upload(str(number)) for number in range(10)]

        answer = refused(core, "CreatePublicKey", PublicKeyConfig=config_of(pems["rsa"], "more"))
        core.call("DeletePublicKey", {"Id": made[3]["PublicKey"]["Id"], "IfMatch": made[3]["ETag"]})
        upload("more")

        assert answer == ("TooManyPublicKeys", 400)

    def test_comment(self, core, pems):
        """
        A comment has at most 128 characters.
        """
        config = config_of(pems["rsa"], Comment="x" * 129)

        assert refused(core, "CreatePublicKey", PublicKeyConfig=config)[0] == "InvalidArgument"


class TestUpdate:
    @pytest.mark.parametrize("changes", [{"Name": "other"}, {"CallerReference": "other"}])
    def test_immutable(self, core, pems, upload, changes):
        """
        Name and reference stay, though another key may own the name that is wanted.
        """
        upload("other")
        made = upload("first")
        config = config_of(pems["ecdsa"]) | changes
        sent = {"Id": made["PublicKey"]["Id"], "IfMatch": made["ETag"], "PublicKeyConfig": config}

        answer = refused(core, "UpdatePublicKey", **sent)

        assert answer == ("CannotChangeImmutablePublicKeyFields", 400)

    def test_key_is_immutable(self, core, pems, upload):
        """
        A new key is a new resource.
        """
        made = upload()
        config = config_of(pems["rsa"])
        sent = {"Id": made["PublicKey"]["Id"], "IfMatch": made["ETag"], "PublicKeyConfig": config}

        answer = refused(core, "UpdatePublicKey", **sent)

        assert answer == ("CannotChangeImmutablePublicKeyFields", 400)

    def test_comment(self, core, pems, upload):
        """
        The comment changes, also if the key is sent without its last line's end.
        """
        made = upload()
        config = config_of(pems["ecdsa"].strip(), Comment="retired")
        sent = {"Id": made["PublicKey"]["Id"], "IfMatch": made["ETag"], "PublicKeyConfig": config}

        after = core.call("UpdatePublicKey", sent)

        assert after["PublicKey"]["PublicKeyConfig"]["Comment"] == "retired"
        assert after["ETag"] != made["ETag"]

    @pytest.mark.parametrize("operation", ["UpdatePublicKey", "DeletePublicKey"])
    def test_etags(self, core, pems, upload, operation):
        """
        A version that is missing or wrong is not a version that has passed.
        """
        made = upload()
        config = config_of(pems["ecdsa"], Comment="new")
        sent = {"Id": made["PublicKey"]["Id"], "PublicKeyConfig": config}
        core.call("UpdatePublicKey", sent | {"IfMatch": made["ETag"]})
        if operation == "DeletePublicKey":
            del sent["PublicKeyConfig"]

        seen = [
            refused(core, operation, **sent),
            refused(core, operation, **sent, IfMatch="E0"),
            refused(core, operation, **sent, IfMatch=made["ETag"]),
        ]

        assert seen == [
            ("InvalidIfMatchVersion", 400),
            ("InvalidIfMatchVersion", 400),
            ("PreconditionFailed", 412),
        ]


class TestDelete:
    def test_in_use(self, core, upload):
        """
        A key stays for as long as a group names it.
        """
        made, other = upload("first"), upload("second")
        key, rest = made["PublicKey"]["Id"], other["PublicKey"]["Id"]
        group = core.call("CreateKeyGroup", {"KeyGroupConfig": {"Name": "g", "Items": [key, rest]}})
        sent = {"Id": key, "IfMatch": made["ETag"]}

        before = refused(core, "DeletePublicKey", **sent)
        core.call(
            "UpdateKeyGroup",
            {
                "Id": group["KeyGroup"]["Id"],
                "IfMatch": group["ETag"],
                "KeyGroupConfig": {"Name": "g", "Items": [rest]},
            },
        )
        core.call("DeletePublicKey", sent)

        assert before == ("PublicKeyInUse", 409)
        assert refused(core, "GetPublicKey", Id=key) == ("NoSuchPublicKey", 404)


class TestList:
    def test_shape(self, core, pems, upload):
        """
        An entry has the key, but neither ETag nor caller reference.
        """
        made = upload()["PublicKey"]

        listed = core.call("ListPublicKeys", {})["PublicKeyList"]

        assert listed == {
            "MaxItems": 100,
            "Quantity": 1,
            "Items": [
                {
                    "Id": made["Id"],
                    "Name": "first",
                    "EncodedKey": pems["ecdsa"],
                    "Comment": "",
                    "CreatedTime": made["CreatedTime"],
                }
            ],
        }

    def test_pages(self, core, upload):
        """
        A page names the next, and an empty list has no items.
        """
        empty = core.call("ListPublicKeys", {})["PublicKeyList"]
        ids = [upload(str(number))["PublicKey"]["Id"] for number in range(3)]

        one = core.call("ListPublicKeys", {"MaxItems": "2"})["PublicKeyList"]
        two = core.call("ListPublicKeys", {"MaxItems": "2", "Marker": one["NextMarker"]})

        assert "Items" not in empty
        assert [item["Id"] for item in one["Items"]] == ids[:2]
        assert [item["Id"] for item in two["PublicKeyList"]["Items"]] == ids[2:]
        assert "NextMarker" not in two["PublicKeyList"]
