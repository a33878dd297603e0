"""The doctor names the check that failed, for a person and for a machine."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cdn.signing import key_pairs, signing

ROOT = Path(__file__).parents[3]
URL = "https://media.example.com/a.jpg"


@pytest.fixture(scope="module")
def key():
    return key_pairs.generate("ECDSA-P256")


@pytest.fixture
def pem(key, tmp_path):
    file = tmp_path / "key.pem"
    file.write_text(key_pairs.public_pem(key))
    return file


def sign(key, *, expires_at_s):
    signer = key_pairs.signer(key, key_id="K1", hash_algorithm="SHA256")
    return signing.sign_url(
        signer, URL, expires_at_s=expires_at_s, now_s=expires_at_s - 60, max_lifetime_s=60
    )


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "commands.doctor", *arguments],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if "AWS" not in name},
            "PYTHONPATH": ".:layers/cloudfront",
            "AWS_EC2_METADATA_DISABLED": "1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


class TestOffline:
    def test_opens(self, key, pem):
        """
        What is signed by the named key opens.
        """
        url = sign(key, expires_at_s=int(time.time()) + 3_600)

        done = run("--url", url, "--public-key", str(pem), "--json")

        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["cause"] is None

    def test_expired(self, key, pem):
        """
        When it has expired is told, and what to do.
        """
        done = run("--url", sign(key, expires_at_s=1_700_000_000), "--public-key", str(pem))

        assert "expired:" in done.stdout
        assert "2023-11-14" in done.stdout

    def test_as_of_then(self, key, pem):
        """
        It can be asked as of another moment.
        """
        url = sign(key, expires_at_s=1_700_000_000)

        done = run("--url", url, "--public-key", str(pem), "--json", "--at", "1699999999")

        assert json.loads(done.stdout)["cause"] is None


class TestOnline:
    def test_nowhere(self):
        """
        Without credentials it says what is missing, in a line.
        """
        done = run("--url", URL)

        assert done.returncode == 2
        assert "credentials" in done.stdout
        assert "Traceback" not in done.stderr
