"""How signed cookies reach browsers: for which host and path, and beside which others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdn.access import url_patterns
from cdn.errors import AccessRefusedError, CookieUnreachableError, Refusal
from cdn.signing.cookies import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class CookieRules:
    """
    How cookies reach browsers; see `settings.SignAccessSettings`.

    Attributes:
        cross_site: Whether pages of other sites show what the cookies open.
    """

    host: str | None
    domain: str | None
    cross_site: bool

    def scope(self, url_pattern: str, *, by_cloudfront: bool) -> Scope:
        """
        Return which attributes the cookies for *url_pattern* have.

        Args:
            by_cloudfront: Whether the request came through CloudFront: only then does the
                response come from `host`, so that its cookies are for it alone.

        Raises:
            CookieUnreachableError: No cookie set here reaches that host.

        >>> CookieRules("media.example.com", None, cross_site=False).scope(
        ...     "https://media.example.com/users/42/*", by_cloudfront=True
        ... )
        Scope(path='/users/42/', domain=None, same_site='Lax', partitioned=False, max_age_s=None)
        """
        host = url_pattern.split("/")[2]
        domain = None
        if host != self.host or not by_cloudfront:
            domain = self.domain
            if domain is None or not f".{host}".endswith(f".{domain}"):
                raise CookieUnreachableError(host)
        return Scope(
            path=url_patterns.cookie_path(url_pattern),
            domain=domain,
            # Browsers store a cookie across sites only so: https://developer.mozilla.org/docs/Web/Privacy/Guides/Privacy_sandbox/Partitioned_cookies
            same_site="None" if self.cross_site else "Lax",
            partitioned=self.cross_site,
        )

    def scopes(self, patterns: Sequence[str], *, by_cloudfront: bool) -> list[Scope]:
        """
        Return the attributes of each set of cookies, in the order of *patterns*.

        Raises:
            AccessRefusedError: A browser would send two of the sets together.
            CookieUnreachableError: No cookie set here reaches the host of one.
        """
        overlap = url_patterns.overlapping(patterns, any_host=self.domain is not None)
        if overlap:
            first, second = overlap
            raise AccessRefusedError(
                [
                    Refusal(
                        patterns.index(second),
                        "overlapping_paths",
                        f"a browser would send these cookies and those of {first} together; ask "
                        "for one of them",
                        malformed=True,
                    )
                ]
            )
        return [self.scope(pattern, by_cloudfront=by_cloudfront) for pattern in patterns]
