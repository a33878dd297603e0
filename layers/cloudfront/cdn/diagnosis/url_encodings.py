"""Other spellings of a URL: what somebody may have signed in place of what a viewer sent."""

import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus


def other_encodings(url: str) -> Iterator[str]:
    """Write *url* in every other way in which libraries, proxies and people write it."""
    base, question, query = url.partition("?")
    scheme, separator, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    port = {"https": ":443", "http": ":80"}.get(scheme, "")
    heads = dict.fromkeys(
        f"{scheme}{separator}{authority}{slash}"
        for authority in (host, host.lower(), host.removesuffix(port), f"{host}{port}")
    )
    tails = dict.fromkeys(
        f"{path_spelling}{question}{query_spelling}"
        for path_spelling in spellings(path)
        for query_spelling in spellings(query)
    )
    if not path and not query:
        tails = dict.fromkeys(("", "/"))
        heads = dict.fromkeys(head.removesuffix("/") for head in heads)
    yield from (f"{head}{tail}" for head in heads for tail in tails if f"{head}{tail}" != url)


def spellings(text: str) -> list[str]:
    """Return *text* in every way in which it is percent-encoded, as it came first."""
    decoded, spaced = unquote(text), unquote_plus(text)
    return list(
        dict.fromkeys(
            (
                text,
                decoded,
                spaced,
                quote(decoded, safe="%/?!$&'()*+,:;=@"),
                quote(decoded, safe="/!$&'()*+,:;=@"),
                quote(decoded, safe="/?!$&()*+,:;=@"),
                quote(decoded, safe="/!'()*=&"),
                quote(decoded, safe="/"),
                quote_plus(decoded, safe="/=&"),
                quote(spaced, safe="/=&"),
                quote(text, safe="/?!$&'()*+,:;=@"),
                re.sub("%..", lambda hex_pair: hex_pair[0].lower(), text),
                re.sub("%..", lambda hex_pair: hex_pair[0].upper(), text),
            )
        )
    )


def other_urls(url: str) -> Iterator[str]:
    """Write the URLs that were probably meant: the other scheme, fewer parameters."""
    scheme, separator, rest = url.partition("://")
    base, _, query = url.partition("?")
    parameters = query.split("&") if query else []
    fewer = [f"{base}?{'&'.join(parameters[:end])}" for end in range(len(parameters) - 1, 0, -1)]
    bare = [*fewer, base] if parameters else []
    other_scheme = {"http": "https", "https": "http"}.get(scheme, scheme)
    yield f"{other_scheme}{separator}{rest}"
    yield from bare
