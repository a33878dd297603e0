"""What must be in no log, no event and no error: keys, signatures, policies, tokens."""

import re

_SECRET = re.compile(
    r"""
      -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----
    | (?:Signature|Policy)=[\w~-]{40,}         # of a signed URL or of cookies
    | eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}    # a JWT
    """,
    re.VERBOSE,
)


def leaks(text):
    """
    Find secrets in *text*; of each only the beginning is returned.

    >>> leaks("Expires=1&Signature=" + "a" * 60)
    ['Signature=aaaaaaaaaa…']
    """
    return [f"{found[0][:20]}…" for found in _SECRET.finditer(text)]
