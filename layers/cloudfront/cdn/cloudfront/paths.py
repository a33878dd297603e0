"""How an invalidation must name an object for the copies that browsers asked for to go."""

from urllib.parse import quote

MAX_PATH_CHARS = 4_000
"""Characters of one invalidation path, by CloudFront's developer guide."""

# CloudFront wants what RFC 1738 calls unsafe encoded, and nothing else: any other character that
# is encoded here but sent raw by viewers names another cached object. Raw stay, beside letters,
# digits and `_.-`, those that RFC 1738 calls special, extra or reserved, where browsers leave them:
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
# Not the apostrophe, though RFC 1738 calls it safe: CloudFront was seen to refuse the whole batch:
# https://github.com/laurilehmijoki/s3_website/issues/63
_RAW_IN_PATHS = "/!$&()*+,:;=@"


# What encodeURIComponent leaves as it is, beside letters, digits, `_.-` and the apostrophe.
_RAW_IN_COMPONENTS = "/!()*"


def of_key(key: str) -> str:
    """
    Write the path that takes the copies of *key* which plain links asked for.

    >>> of_key("css/main+theme v2.css")
    '/css/main+theme%20v2.css'
    >>> of_key("übung/50%#1?.html")
    '/%C3%BCbung/50%25%231%3F.html'
    >>> of_key("it's.html")
    '/it%27s.html'
    """
    return "/" + quote(key, safe=_RAW_IN_PATHS)


def forms(key: str, *, both: bool) -> tuple[str, ...]:
    """
    Write every path that takes copies of *key*: for plain links, and for encodeURIComponent.

    Browsers send `+ ; , = & : @ $` raw where a link has them raw, and encoded where a script has
    encoded each segment. Those are two cached objects. With *both* off, the second is left out.

    >>> forms("a+b.css", both=True), forms("a b.css", both=True), forms("a+b.css", both=False)
    (('/a+b.css', '/a%2Bb.css'), ('/a%20b.css',), ('/a+b.css',))
    """
    link, component = of_key(key), "/" + quote(key, safe=_RAW_IN_COMPONENTS)
    return (link, component) if both and component != link else (link,)


def is_wildcard(item: str) -> bool:
    """
    Return whether CloudFront reads *item* as a wildcard: only a last `*` is one.

    >>> is_wildcard("/css/*"), is_wildcard("/a*b.css")
    (True, False)
    """
    return item.endswith("*")


def why_not(path: str) -> str | None:
    """
    Return why *path* cannot be invalidated, or None when it can.

    >>> why_not("/a.css")
    >>> why_not("/~user/a.css")
    'CloudFront invalidates no path with ~'
    >>> why_not("/a/../b.css")
    'no URL has a segment . or ..'
    """
    if {".", ".."} & set(path.split("/")):
        return "no URL has a segment . or .."
    if "~" in path:
        return "CloudFront invalidates no path with ~"
    if len(path) > MAX_PATH_CHARS:
        return f"the path is longer than {MAX_PATH_CHARS} characters"
    return None
