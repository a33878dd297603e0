"""Text in which a key is stored: PEM, base64 or JSON, unwrapped to DER. No error shows the text."""

import binascii
import json
import re
from base64 import b64decode

from cdn.errors import KeyMaterialError

_PEM = re.compile(
    r"-----BEGIN (?P<label>[A-Z0-9 ]{1,40})-----(?P<body>.*?)-----END (?P=label)-----", re.DOTALL
)
PRIVATE_LABELS = {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"}
LABELS = {
    "CERTIFICATE": "a certificate",
    "CERTIFICATE REQUEST": "a certificate request",
    "DSA PRIVATE KEY": "a DSA key",
    "EC PARAMETERS": "the name of a curve",
    "OPENSSH PRIVATE KEY": "in OpenSSH's own format (ssh-keygen -p -m PEM converts it)",
    "RSA PUBLIC KEY": "a public key in PKCS #1",
}
# A field's name is shown, unless somebody has stored the key itself as a name.
_SHOWN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")


def read_json(text: str) -> object:
    """
    Read JSON that may have a key in it; None where it is none, without an error that shows it.

    >>> read_json('{"private_key":')
    """
    # As a cause or a context, json's error would carry the whole text along.
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document


def read_text(material: str | bytes) -> str:
    """
    Return what was stored as a text without surroundings.

    Raises:
        KeyMaterialError: It is empty.
    """
    if isinstance(material, bytes):
        # The error of a failed decoding would carry the material along.
        material = material.decode("utf-8", errors="replace")
    text = material.strip().removeprefix("\ufeff").strip()
    if not text:
        raise KeyMaterialError("there is no key: the text is empty")
    return text


def read_field(text: str, field: str | None) -> str:
    """
    Return the text of a field of a JSON object.

    Raises:
        KeyMaterialError: There is none. The reason names the fields that are there.
    """
    document = read_json(text)
    if not isinstance(document, dict):
        raise KeyMaterialError("the text begins like a JSON object but is none")
    names = [name if _SHOWN_NAME.fullmatch(name) else "(one not shown)" for name in document]
    has = ", ".join(names) or "none"
    if field is None:
        raise KeyMaterialError(f"this is JSON; name the field that has the key, of: {has}")
    if field not in document:
        raise KeyMaterialError(f"the JSON has no field {field}; its fields: {has}")
    value = document[field]
    if not isinstance(value, str):
        raise KeyMaterialError(f"the field {field} of the JSON is no text")
    return value


def unwrap(text: str) -> tuple[str, bytes]:
    """Return the label of the PEM, or none, and the DER."""
    text = text.replace("\\r", "").replace("\\n", "\n")
    if "-----BEGIN" not in text:
        if text.startswith("arn:"):
            raise KeyMaterialError("this is the name of a secret; its value is needed")
        der = _from_base64(text, "this is neither PEM nor base64")
        return unwrap(der.decode("latin-1")) if b"-----BEGIN" in der else ("", der)
    blocks = list(_PEM.finditer(text))
    if not blocks:
        raise KeyMaterialError("the PEM is cut off: no END line closes its BEGIN line")
    # `openssl ecparam -genkey` writes the curve's name before the key.
    block = next((block for block in blocks if block["label"].endswith("PRIVATE KEY")), blocks[0])
    if "ENCRYPTED" in block["body"]:
        return "ENCRYPTED PRIVATE KEY", b""
    return block["label"], _from_base64(
        block["body"], "what stands between BEGIN and END is not base64"
    )


def _from_base64(text: str, otherwise: str) -> bytes:
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise KeyMaterialError(f"{otherwise}, or it is cut off or damaged") from exc
