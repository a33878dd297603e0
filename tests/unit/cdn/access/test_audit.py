"""What is logged is one line of JSON, whatever a caller has sent."""

import json

import pytest

from cdn import metrics
from cdn.access.audit import AuditTrail
from cdn.access.issuing import SignedAccess

NOW_S = 1_790_000_000.25


def written(document):
    """As json itself writes it in the least space."""
    return json.dumps(document, separators=(",", ":"))


class TestGranted:
    @pytest.mark.parametrize("subject", ["42", 'a"b\\c\n\u2028é', None, 7, ["a"], {"a": "b"}])
    @pytest.mark.parametrize(
        "url_pattern", ["https://m.example/a.jpg", 'https://m.example/"\\\n\u2028é']
    )
    def test_line(self, subject, url_pattern):
        """
        Each access has its line, to the letter as json would write it.
        """
        accesses = [
            SignedAccess(url_pattern, "signed", 1_790_000_060, "own"),
            SignedAccess("b", "x", 9, "é"),
        ]

        *lines, _ = AuditTrail(subject, "url", "ns").granted(accesses, key_id="K2JC", now_s=NOW_S)

        start = {"level": "INFO", "message": "access granted", "subject": subject, "method": "url"}
        assert lines == [
            written(
                start
                | {
                    "url": access.url_pattern,
                    "grant": access.grant,
                    "key_id": "K2JC",
                    "expires_at": access.expires_at_s,
                }
            )
            for access in accesses
        ]

    def test_metrics(self):
        """
        The last line counts them.
        """
        *_, last = AuditTrail("42", "url", "ns").granted([], key_id="K", now_s=NOW_S)

        assert last == metrics.line("ns", 1_790_000_000_250, {"Granted": 0, "Refused": 0})
