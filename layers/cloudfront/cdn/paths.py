"""How a viewer writes the path of an object, and so how an invalidation must name it."""

from urllib.parse import quote

LONGEST_PATH = 4_000
"""Characters of one invalidation path, by CloudFront's developer guide."""

# What a WHATWG URL parser leaves as it is in a path, beside letters, digits and `_.-~`. An
# encoded character that viewers send raw names another cached object, so nothing else
# may be encoded:
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
_RAW_IN_PATHS = "/!$&'()*+,:;=@[]|"


def of_key(key: str) -> str:
    """
    Write the path by which browsers ask for *key*.

    >>> of_key("css/main+theme v2.css")
    '/css/main+theme%20v2.css'
    >>> of_key("übung/50%#1?.html")
    '/%C3%BCbung/50%25%231%3F.html'
    """
    return "/" + quote(key, safe=_RAW_IN_PATHS)


def is_wildcard(item: str) -> bool:
    """
    Tell whether CloudFront reads *item* as a wildcard: only a last `*` is one.

    >>> is_wildcard("/css/*"), is_wildcard("/a*b.css")
    (True, False)
    """
    return item.endswith("*")


def why_not(path: str) -> str | None:
    """
    Say why *path* cannot be invalidated, or None when it can.

    >>> why_not("/a.css")
    >>> why_not("/~user/a.css")
    'CloudFront invalidates no path with ~'
    """
    if "~" in path:
        return "CloudFront invalidates no path with ~"
    if len(path) > LONGEST_PATH:
        return f"the path is longer than {LONGEST_PATH} characters"
    return None
