"""One line of JSON for each access that was granted or denied, and one of metrics a request.

Written by hand, not by Powertools' Logger and Metrics, which cost more than a signature. No line
has a signature, a policy or a token in it.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, NamedTuple

from cdn import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cdn.access.grants import AccessMethod
    from cdn.access.issuing import SignedAccess
    from cdn.errors import CdnError, Refusal


_MAX_URL_CHARS = 512


class AuditTrail(NamedTuple):
    """
    The lines about one request.

    Attributes:
        subject: Who asks: the token's `sub`.
        namespace: Of the metrics.
    """

    subject: object
    method: AccessMethod
    namespace: str

    def granted(
        self, accesses: Sequence[SignedAccess], *, key_id: str, now_s: float
    ) -> Iterator[str]:
        """Write a line for each access that was granted."""
        start = f'{{"level":"INFO","message":"access granted","subject":{_json(self.subject)}'
        method, key = _text(self.method), _text(key_id)
        for access in accesses:
            # By hand, since json takes as long as a tenth of a signature.
            yield (
                f'{start},"method":{method},"url":{_text(access.url_pattern)},'
                f'"grant":{_text(access.grant)},"key_id":{key},"expires_at":{access.expires_at_s}}}'
            )
        yield self._metrics(now_s, granted=len(accesses), refused=0)

    def denied(
        self, url_patterns: Sequence[str], refusals: Sequence[Refusal], *, now_s: float
    ) -> Iterator[str]:
        """Write a line for each access that was denied; nothing else was granted with it."""
        start = {"level": "INFO", "message": "access denied", "subject": self.subject}
        for refusal in refusals:
            # A query that was refused may hold a signature that somebody sent along.
            url = url_patterns[refusal.index].partition("?")[0][:_MAX_URL_CHARS]
            yield _json(start | {"method": self.method, "url": url, "reason": refusal.reason})
        yield self._metrics(now_s, granted=0, refused=len(refusals))

    def _metrics(self, now_s: float, *, granted: int, refused: int) -> str:
        values = {metrics.ACCESS_GRANTED: granted, metrics.ACCESS_REFUSED: refused}
        return metrics.line(self.namespace, int(now_s * 1000), values)


def unavailable(error: CdnError) -> str:
    """Write a line about what a person must mend; an alarm counts these."""
    return _json({"level": "ERROR", "message": "nothing can be signed", "error": str(error)})


# Whatever a caller has sent, it is one line of ASCII here.
_json = json.JSONEncoder(separators=(",", ":")).encode
_text = encode_basestring_ascii
