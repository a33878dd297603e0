"""Keys are read however they were stored; a bad one is refused for its reason, and not shown."""

import base64
import json
import subprocess
import traceback
from typing import get_args

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from cdn.errors import KeyMaterialError
from cdn.signing import key_pairs

KINDS, HASHES = get_args(key_pairs.Kind), get_args(key_pairs.HashAlgorithm)
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
PKCS8 = serialization.PrivateFormat.PKCS8
NO_ENCRYPTION = serialization.NoEncryption()


def written(key, encoding=PEM, form=PKCS8, encryption=NO_ENCRYPTION):
    data = key.private_bytes(encoding, form, encryption)
    return data if encoding is DER else data.decode()


def same(key, other):
    return written(key) == written(other)


WRAPPINGS = {
    "as it is": lambda pem: pem,
    "bytes": lambda pem: pem.encode(),
    "byte order mark": lambda pem: "\ufeff" + pem,
    "windows newlines": lambda pem: pem.replace("\n", "\r\n"),
    "escaped newlines": lambda pem: pem.replace("\n", "\\n"),
    "escaped windows newlines": lambda pem: pem.replace("\n", "\\r\\n"),
    "spaces for newlines": lambda pem: pem.replace("\n", " "),
    "no newlines": lambda pem: pem.replace("\n", ""),
    "indented": lambda pem: "\n    ".join(["", *pem.splitlines()]),
    "base64": lambda pem: base64.b64encode(pem.encode()).decode(),
    "base64 in lines": lambda pem: base64.encodebytes(pem.encode()).decode(),
    "base64 of escaped newlines": lambda pem: base64.b64encode(
        pem.replace("\n", "\\n").encode()
    ).decode(),
    "text around it": lambda pem: f"Bag Attributes\n    friendlyName: key\n{pem}\n",
    "JSON": lambda pem: json.dumps({"key_id": "K1", "private_key": pem}),
    "JSON with doubly escaped newlines": lambda pem: json.dumps(
        {"private_key": pem.replace("\n", "\\n")}
    ),
    "JSON with base64": lambda pem: json.dumps(
        {"private_key": base64.b64encode(pem.encode()).decode()}
    ),
}


class TestLoad:
    @pytest.mark.parametrize("wrapping", WRAPPINGS)
    @pytest.mark.parametrize("form", [TRADITIONAL, PKCS8])
    @pytest.mark.parametrize("kind", KINDS)
    def test_forms(self, private_keys, kind, form, wrapping):
        """
        PKCS #1, PKCS #8 and SEC1 are read from whatever people and tools make of their lines.
        """
        material = WRAPPINGS[wrapping](written(private_keys[kind], form=form))

        assert same(private_keys[kind], key_pairs.load(material, field="private_key"))

    @pytest.mark.parametrize("form", [TRADITIONAL, PKCS8])
    @pytest.mark.parametrize("kind", KINDS)
    def test_der(self, private_keys, kind, form):
        """
        Base64 of DER needs no PEM around it.
        """
        material = base64.b64encode(written(private_keys[kind], DER, form)).decode()

        assert same(private_keys[kind], key_pairs.load(material))

    @pytest.mark.parametrize(
        "command",
        [
            ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            ["ecparam", "-name", "prime256v1", "-genkey"],
            ["ecparam", "-name", "prime256v1", "-genkey", "-noout"],
        ],
    )
    def test_openssl(self, command):
        """
        Keys that AWS's guide tells people to make with openssl are read as they come.
        """
        made = subprocess.run(["openssl", *command], capture_output=True, check=True).stdout  # noqa: S607

        assert key_pairs.kind_of(key_pairs.load(made)) in KINDS


PASSWORD = serialization.BestAvailableEncryption(b"passphrase")
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


def public(key, encoding=PEM, form=SPKI):
    return key.public_key().public_bytes(encoding, form)


def base64_of(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def body(pem):
    return "".join(pem.splitlines()[1:-1])


def short_rsa_key():
    return rsa.generate_private_key(65_537, 1024)  # noqa: S505  # that is what is wrong with it


def relabelled(label):
    return lambda rsa_key, _: written(rsa_key).replace("PRIVATE KEY", label)


def in_json(make):
    return lambda rsa_key, ec_key: json.dumps({"private_key": make(rsa_key, ec_key)})


# What is wrong with a text, the text (from an RSA and an ECDSA key), and the reason to be given.
BAD = {
    "empty": (lambda *_: "", "empty"),
    "blank": (lambda *_: " \n ", "empty"),
    "no bytes": (lambda *_: b"", "empty"),
    "public": (lambda key, _: public(key), "public key; the private"),
    "public ECDSA": (lambda _, key: public(key), "public key; the private"),
    "public, PKCS #1": (
        lambda key, _: public(key, form=serialization.PublicFormat.PKCS1),
        "public key; the private",
    ),
    "public DER": (lambda key, _: base64_of(public(key, DER)), "public key; the private"),
    "certificate": (relabelled("CERTIFICATE"), "a certificate"),
    "request": (relabelled("CERTIFICATE REQUEST"), "a certificate request"),
    "something else": (relabelled("PGP MESSAGE"), "no key"),
    "openssh": (lambda key, _: written(key, form=serialization.PrivateFormat.OpenSSH), "OpenSSH"),
    "encrypted": (lambda key, _: written(key, encryption=PASSWORD), "encrypted"),
    "encrypted, PKCS #1": (lambda key, _: written(key, PEM, TRADITIONAL, PASSWORD), "encrypted"),
    "encrypted, SEC1": (lambda _, key: written(key, PEM, TRADITIONAL, PASSWORD), "encrypted"),
    "encrypted DER": (lambda key, _: base64_of(written(key, DER, PKCS8, PASSWORD)), "encrypted"),
    "curve": (lambda *_: written(ec.generate_private_key(ec.SECP384R1())), "secp384r1"),
    "a similar curve": (lambda *_: written(ec.generate_private_key(ec.SECP256K1())), "secp256k1"),
    "too short": (lambda *_: written(short_rsa_key()), "1024 bits"),
    "ed25519": (lambda *_: written(ed25519.Ed25519PrivateKey.generate()), "another kind"),
    "no end": (lambda key, _: written(key)[:-40], "cut off"),
    "half": (lambda key, _: written(key)[:800], "cut off"),
    "half in base64": (lambda key, _: base64_of(written(key)[:800]), "cut off"),
    "half DER": (lambda key, _: base64_of(written(key, DER)[:300]), r"cut off: 300 of its 12\d\d"),
    "lines lost": (
        lambda key, _: "\n".join([*written(key).splitlines()[:9], "-----END PRIVATE KEY-----"]),
        r"cut off: 384 of its 12\d\d",
    ),
    "other end": (lambda key, _: written(key).replace("END PRIV", "END RSA PRIV"), "cut off"),
    "masked": (lambda key, _: written(key).replace(body(written(key))[:60], "*" * 60), "base64"),
    "doubled": (
        lambda key, _: written(key).replace(body(written(key))[64:128], "A" * 64),
        "damaged",
    ),
    "parameters": (
        lambda _, key: written(key, form=TRADITIONAL).replace("EC PRIVATE KEY", "EC PARAMETERS"),
        "name of a curve",
    ),
    "a path": (lambda *_: "keys/private-key.pem", "neither PEM nor base64"),
    "name of a secret": (
        lambda *_: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:signing-AbCdEf",
        "name of a secret",
    ),
    "noise": (lambda *_: base64_of(bytes(range(256))), "damaged, or none"),
    "no text": (lambda key, _: written(key).encode("utf-16"), "neither PEM nor base64"),
    "JSON, no such field": (
        lambda key, _: json.dumps({"key_id": "K1", "pem": written(key)}),
        "no field private_key; its fields: key_id, pem$",
    ),
    "JSON, no field at all": (lambda *_: "{}", "its fields: none"),
    "JSON, key as a name": (
        lambda key, _: json.dumps({body(written(key))[:64]: written(key)}),
        r"its fields: \(one not shown\)",
    ),
    "JSON, number": (lambda *_: '{"private_key": 5}', "no text"),
    "JSON, nested": (in_json(lambda key, _: {"pem": written(key)}), "no text"),
    "JSON, empty": (in_json(lambda *_: ""), "empty"),
    "JSON, public": (in_json(lambda key, _: public(key).decode()), "public key; the private"),
    "JSON, cut": (lambda key, _: json.dumps({"private_key": written(key)})[:-9], "like a JSON"),
    "JSON, deep": (lambda *_: '{"a":' * 100_000, "like a JSON"),
}


def fragments(material):
    """All pieces of a text that are long enough to be of use to somebody."""
    text = material.decode("utf-8", "replace") if isinstance(material, bytes) else material
    long = "".join(text.replace("\\n", "").split())
    return {long[at : at + 16] for at in range(0, max(len(long) - 16, 0), 4)}


def fields_of(error):
    """Also those that errors written in C keep, such as a text that was no UTF-8."""
    names = [name for name in dir(error) if not name.startswith("_") and name != "with_traceback"]
    return [getattr(error, name) for name in names if not callable(getattr(error, name))]


class TestBad:
    @pytest.mark.parametrize("case", BAD)
    def test_refused(self, private_keys, case):
        """
        What is wrong with a text is said precisely.
        """
        make, reason = BAD[case]
        material = make(private_keys["RSA-2048"], private_keys["ECDSA-P256"])

        with pytest.raises(KeyMaterialError, match=reason):
            key_pairs.load(material, field="private_key")

    @pytest.mark.parametrize("case", BAD)
    def test_not_shown(self, private_keys, case):
        """
        No error, and no error behind it, has a piece of the text in its message or its fields.
        """
        make, _ = BAD[case]
        material = make(private_keys["RSA-2048"], private_keys["ECDSA-P256"])

        with pytest.raises(KeyMaterialError) as refusal:
            key_pairs.load(material, field="private_key")

        shown = "".join(traceback.format_exception(refusal.value, chain=True))
        errors = [refusal.value, refusal.value.__cause__, refusal.value.__context__]
        shown += "".join(f"{error!r}{error.args}{fields_of(error)}" for error in errors if error)
        assert not [piece for piece in fragments(material) if piece in "".join(shown.split())]

    def test_field_not_named(self, private_keys):
        """
        JSON without a word which field has the key is refused with the fields that it has.
        """
        material = json.dumps({"id": "K1", "pem": written(private_keys["ECDSA-P256"])})

        with pytest.raises(KeyMaterialError, match="name the field that has the key, of: id, pem"):
            key_pairs.load(material)


class TestLoadPublic:
    @pytest.mark.parametrize("kind", KINDS)
    def test_round_trip(self, private_keys, kind):
        """
        What CloudFront is given reads as the same key, also when its last newline was lost.
        """
        pem = key_pairs.public_pem(private_keys[kind])

        key = key_pairs.load_public(pem.strip())

        assert pem.startswith("-----BEGIN PUBLIC KEY-----\n")
        assert key.public_numbers() == private_keys[kind].public_key().public_numbers()

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (written, "only its public half"),
            (lambda key: public(key, form=serialization.PublicFormat.PKCS1), "PKCS #1"),
            (lambda key: public(key, DER).hex(), "no key|base64"),
            (lambda key: base64_of(public(key, DER)), "begins -----BEGIN PUBLIC KEY-----"),
            (lambda _: public(ec.generate_private_key(ec.SECP521R1())), "secp521r1"),
            (lambda _: public(short_rsa_key()), "1024 bits"),
            (lambda _: public(ed25519.Ed25519PrivateKey.generate()), "another kind"),
            (lambda key: public(key)[:200] + b"\n-----END PUBLIC KEY-----", "cut off"),
            (lambda _: "", "empty"),
        ],
    )
    def test_bad(self, private_keys, make, reason):
        """
        What CloudFront would not take is refused for its reason.
        """
        with pytest.raises(KeyMaterialError, match=reason):
            key_pairs.load_public(make(private_keys["RSA-2048"]))


class TestGenerate:
    @pytest.mark.parametrize("kind", KINDS)
    def test_loads(self, kind):
        """
        A new key is of the kind that was asked for, and its PEM is read back.
        """
        key = key_pairs.generate(kind)

        assert kind == key_pairs.kind_of(key)
        assert same(key, key_pairs.load(key_pairs.private_pem(key)))


class TestSigner:
    @pytest.mark.parametrize("hash_algorithm", HASHES)
    @pytest.mark.parametrize("kind", KINDS)
    def test_verifies(self, private_keys, strangers, kind, hash_algorithm):
        """
        A signature holds for its message, its key and its hash algorithm, and no other.
        """
        signer = key_pairs.signer(private_keys[kind], key_id="K1", hash_algorithm=hash_algorithm)
        other = next(name for name in HASHES if name != hash_algorithm)

        def holds(message=b"message", by=private_keys[kind], algorithm=hash_algorithm):
            return key_pairs.verifies(
                by.public_key(),
                message=message,
                signature=signer.sign(b"message"),
                hash_algorithm=algorithm,
            )

        assert (kind, hash_algorithm) == (signer.kind, signer.hash_algorithm)
        assert holds()
        assert not holds(message=b"Message")
        assert not holds(by=strangers[kind])
        assert not holds(algorithm=other)

    @pytest.mark.parametrize("hash_algorithm", HASHES)
    @pytest.mark.parametrize("kind", KINDS)
    def test_equal(self, private_keys, kind, hash_algorithm):
        """
        Equal messages get equal signatures, from ECDSA too.
        """
        signer = key_pairs.signer(private_keys[kind], key_id="K1", hash_algorithm=hash_algorithm)

        assert signer.sign(b"message") == signer.sign(b"message")

    @pytest.mark.parametrize("key_id", ["", "K1\n", "K1&Policy=x", "K 1", "Ä", "K" * 129])
    def test_key_id(self, key_id):
        """
        What would break out of a URL or a header is no key id.
        """
        with pytest.raises(KeyMaterialError, match="key id"):
            key_pairs.Signer(key_id, "RSA-2048", "SHA1", lambda _: b"")

    def test_shown(self, private_keys):
        """
        A signer that is printed or logged shows its key id, and nothing of its key.
        """
        key = private_keys["ECDSA-P256"]
        signer = key_pairs.signer(key, key_id="K1", hash_algorithm="SHA256")

        assert "K1" in repr(signer)
        assert str(key.private_numbers().private_value) not in repr(signer)
