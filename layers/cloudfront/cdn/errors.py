"""Every error that the layer raises on purpose.

CdnError                           superclass of all, never raised directly
├── SettingError                   a deploy-time mistake; retrying cannot help
├── GrantsError                    a grant document that cannot be used; nothing is signed by it
├── UrlPatternError                a URL that is signed for nobody, whatever the grants say
├── MessageError                   a message that nobody here can read; dead-letter it
├── RetryLaterError                AWS is throttling, or there was a conflict; retry when it is due
├── TargetGoneError                what we act on was deleted; stop
├── NotServedError                 no distribution of this account answers for that host
├── KeyGroupError                  a key group cannot be made, used or deleted as asked; ask anew
├── UnavailableError               a secret, a parameter or a key cannot be read now; ask later
│   └── NoKeyYetError              … because no signing key has been made and verified yet
├── RequestError                   a request of a front end that cannot be read; mend the request
│   └── TokenError                 … because of its token; sign in again
├── AccessRefusedError             the caller may not open what it asked for; ask for something else
├── CookieUnreachableError         no cookie that is set here reaches that host; ask for URLs
├── KeyMaterialError               no key that CloudFront takes; whoever keeps the secret mends it
├── MalformedError                 signed text that CloudFront cannot read; have it signed anew
└── UnsignableError                what was asked for is never signed; ask for something else
    ├── UrlError                   … because of the URL
    ├── PolicyError                … because of what, when or whom the policy allows
    └── CookieError                … because of an attribute of the cookies
"""

from collections.abc import Sequence
from dataclasses import dataclass


class CdnError(Exception):
    """Superclass of all errors here; never raised directly."""


class SettingError(CdnError):
    """An environment variable is unset, empty or not what it must be."""

    def __init__(self, name: str, expected: str) -> None:
        super().__init__(f"environment variable {name} must be {expected}")
        self.name = name
        self.expected = expected


class GrantsError(CdnError):
    """A grant document cannot be used: what stands at the JSON path *where* must *expected*."""

    def __init__(self, where: str, expected: str) -> None:
        super().__init__(f"grant document: {where} must {expected}")
        self.where = where
        self.expected = expected


class UrlPatternError(CdnError):
    """
    What shall be opened is no https URL, or may be read in two ways.

    Attributes:
        reason: A short code that stays the same.
        detail: What is wrong and what would be right, for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class MessageError(CdnError):
    """A message is not of any form that is understood; *reason* says what was found."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RetryLaterError(CdnError):
    """
    AWS, or a limit of our own, refused for now (*code*); the same may be asked again later.

    *due_at_ms* says when that makes sense (epoch milliseconds), if it is known; *progressed*,
    whether a part of the work was done before.
    """

    def __init__(
        self, operation: str, code: str, *, due_at_ms: int | None = None, progressed: bool = False
    ) -> None:
        super().__init__(f"{operation} must be retried later: {code}")
        self.operation = operation
        self.code = code
        self.due_at_ms = due_at_ms
        self.progressed = progressed


class TargetGoneError(CdnError):
    """What was to be invalidated does not exist (any more)."""

    def __init__(self, kind: str, target_id: str) -> None:
        super().__init__(f"{kind} {target_id} does not exist")
        self.kind = kind
        self.target_id = target_id


class NotServedError(CdnError):
    """No distribution of this account has *host* as its domain name or alias."""

    def __init__(self, host: str) -> None:
        super().__init__(f"no distribution of this account answers for {host}")
        self.host = host


class KeyGroupError(CdnError):
    """A key group is not made, used or deleted as asked; *reason* says why, and what would help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KeyMaterialError(CdnError):
    """A text holds no key that CloudFront takes; *reason* never shows any of the text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MalformedError(CdnError):
    """A policy or a signature (*what*) is not written as CloudFront reads it."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what} {reason}")
        self.what = what
        self.reason = reason


class UnsignableError(CdnError):
    """
    A request for a signature is refused, whoever asks; never raised directly.

    Attributes:
        what: The part of the URL, the field of the policy or the attribute of the cookies.
        reason: What is wrong with it and what would be right.
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what} {reason}")
        self.what = what
        self.reason = reason


class UrlError(UnsignableError):
    """A URL is none that CloudFront serves, or not one that arrives as it was signed."""


class PolicyError(UnsignableError):
    """A policy allows what CloudFront cannot check, or what nobody may be given."""


class CookieError(UnsignableError):
    """Browsers would not store, or not send back, a cookie with this attribute."""


class UnavailableError(CdnError):
    """*what* cannot be had now, because of *why*."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} cannot be had now: {why}")
        self.what = what
        self.why = why


class NoKeyYetError(UnavailableError):
    """The secret holds the placeholder that stands there until the first key is verified."""

    def __init__(self) -> None:
        super().__init__("the signing key", "there is none yet")


class RequestError(CdnError):
    """A request is not as the API's description says; *reason* says what would be right."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenError(RequestError):
    """No authorizer has verified the token of a request."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one of the resources that were asked for, by its *index*, may not be opened."""

    index: int
    reason: str
    detail: str
    malformed: bool = False


class AccessRefusedError(CdnError):
    """Nothing is signed, because of *refusals*."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(", ".join(f"{one.index}: {one.reason}" for one in refusals))
        self.refusals = tuple(refusals)


class CookieUnreachableError(CdnError):
    """A browser would keep no cookie for *host* that this API sets."""

    def __init__(self, host: str) -> None:
        super().__init__(f"no cookie that this API sets reaches {host}")
        self.host = host
