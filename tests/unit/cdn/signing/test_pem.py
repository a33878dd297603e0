"""How a stored key is unwrapped. All forms in which people store keys are in test_key_pairs."""

import pytest

from cdn.errors import KeyMaterialError
from cdn.signing import pem


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "secret"])
def test_no_json(text):
    """
    Whatever is no JSON is None, without an error that would show it.
    """
    assert pem.read_json(text) is None


@pytest.mark.parametrize("material", ["", " \n", b"", b"\xef\xbb\xbf"])
def test_empty(material):
    """
    Nothing is said to be nothing, even with a byte order mark.
    """
    with pytest.raises(KeyMaterialError):
        pem.read_text(material)


def test_not_shown():
    """
    A key that somebody stored as a field's name is not shown.
    """
    with pytest.raises(KeyMaterialError) as error:
        pem.read_field('{"-----BEGIN PRIVATE KEY-----": ""}', "private_key")

    assert "BEGIN" not in str(error.value)
