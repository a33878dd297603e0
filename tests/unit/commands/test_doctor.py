"""The doctor names the check that failed, for a person and for a machine."""

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cdn.signing import key_pairs, signing
from cdn.signing.policies import Policy
from commands.exit_codes import Exit
from tests.unit.commands.running import run_here

URL = "https://media.example.com/a.jpg"


@pytest.fixture(scope="module")
def key():
    return key_pairs.generate("ECDSA-P256")


@pytest.fixture
def pem(key, tmp_path):
    file = tmp_path / "key.pem"
    file.write_text(key_pairs.public_pem(key))
    return file


@pytest.fixture(scope="module")
def public_key_file(key, tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "key.pem"
    file.write_text(key_pairs.public_pem(key))
    return file


def sign(key, *, expires_at_s):
    signer = key_pairs.signer(key, key_id="K1", hash_algorithm="SHA256")
    return signing.sign_url(
        signer, URL, expires_at_s=expires_at_s, now_s=expires_at_s - 60, max_lifetime_s=60
    )


class TestOffline:
    def test_opens(self, key, pem):
        """
        What is signed by the named key opens.
        """
        url = sign(key, expires_at_s=int(time.time()) + 3_600)

        done = run_here("doctor", url, "--public-key", str(pem), "--json")

        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["cause"] is None

    def test_expired(self, key, pem):
        """
        When it expired is said, and what to do.
        """
        done = run_here("doctor", sign(key, expires_at_s=1_700_000_000), "--public-key", str(pem))

        assert done.returncode == Exit.REFUSED_OR_FOUND
        assert "expired:" in done.stdout
        assert "2023-11-14" in done.stdout

    def test_as_of_then(self, key, pem):
        """
        It can be asked as of another moment.
        """
        url = sign(key, expires_at_s=1_700_000_000)

        done = run_here("doctor", url, "--public-key", str(pem), "--json", "--at", "1699999999")

        assert json.loads(done.stdout)["cause"] is None


class TestOnline:
    def test_nowhere(self, nowhere):
        """
        Without credentials it says what is missing, in a line.
        """
        done = run_here("doctor", URL)

        assert done.returncode == Exit.AWS_UNREACHABLE
        assert "credentials" in done.stderr
        assert "Traceback" not in done.stderr


class TestCookies:
    def test_key_of_cookies(self, key, pem):
        """
        A key's file is the key that signed the cookies, too, whatever its id.
        """
        now_s = int(time.time())
        signer = key_pairs.signer(key, key_id="K1", hash_algorithm="SHA256")
        policy = Policy("https://media.example.com/*", expires_at_s=now_s + 60)
        signed = signing.sign(signer, policy, now_s=now_s, max_lifetime_s=60).cookies()
        header = "; ".join(f"{name}={value}" for name, value in signed.items())

        done = run_here("doctor", URL, "--cookies", header, "--public-key", str(pem), "--json")

        assert json.loads(done.stdout)["cause"] is None
        assert done.returncode == Exit.DONE


class TestAnything:
    @pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[/x]", b"-----BEGIN PUBLIC KEY-----"])
    def test_no_key(self, key, pem, content):
        """
        Of a file that holds no key it is said that it holds none.
        """
        pem.write_bytes(content)

        done = run_here("doctor", sign(key, expires_at_s=1_700_000_000), "--public-key", str(pem))

        assert done.returncode == Exit.REFUSED_OR_FOUND
        assert "key" in done.stdout + done.stderr

    @settings(max_examples=300)
    @given(
        url=st.text(min_size=1),
        start=st.sampled_from(
            ["", "https://", "https://media.example.com/", f"{URL}?Key-Pair-Id="]
        ),
        cookies=st.text(min_size=1),
    )
    @example(url="https://[", start="", cookies="CloudFront-Policy=[/x]")
    @example(url="https://[::1", start="", cookies="CloudFront-Key-Pair-Id=")
    @example(url="K1&Signature=a&Policy=_____&Expires=1", start=f"{URL}?Key-Pair-Id=", cookies=";")
    def test_url(self, public_key_file, url, start, cookies):
        """
        Any URL and any cookies have a verdict, which steers no terminal.
        """
        done = run_here(
            "doctor", f"--cookies={cookies}", f"--public-key={public_key_file}", "--", start + url
        )

        assert done.returncode in {Exit.DONE, Exit.REFUSED_OR_FOUND}
        assert not {c for c in done.stdout if ord(c) < 32 or 0x7F <= ord(c) < 0xA0} - {"\n"}
