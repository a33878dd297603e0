"""The spellings of a URL that libraries differ in. Their verdicts are in test_url_verification."""

from cdn.diagnosis import url_encodings


def test_other_encodings():
    """
    A space is looked for as people, quote and forms write it; the URL itself is not among them.
    """
    url = "https://d1.cloudfront.net/a%20b.jpg"

    encodings = list(url_encodings.other_encodings(url))

    assert {f"https://d1.cloudfront.net/{path}" for path in ("a b.jpg", "a+b.jpg")} <= {*encodings}
    assert url not in encodings


def test_other_urls():
    """
    The other scheme comes first, then fewer parameters, then none.
    """
    assert list(url_encodings.other_urls("http://a.example/b?c=1&d=2")) == [
        "https://a.example/b?c=1&d=2",
        "http://a.example/b?c=1",
        "http://a.example/b",
    ]
