"""Tests of local.edge.ranges."""

import pytest

from local.edge import EdgeResponse, ranges


def whole(status=200, body=b"0123456789", **headers):
    defaults = {"accept-ranges": "bytes", "etag": '"e"', "content-length": str(len(body))}
    return EdgeResponse(status, defaults | headers, body)


class TestCut:
    @pytest.mark.parametrize(
        ("asked", "body", "said"),
        [
            ("bytes=0-3", b"0123", "bytes 0-3/10"),
            ("bytes=4-4", b"4", "bytes 4-4/10"),
            ("bytes=8-", b"89", "bytes 8-9/10"),
            ("bytes=8-99", b"89", "bytes 8-9/10"),
            ("bytes=-3", b"789", "bytes 7-9/10"),
            ("bytes=-99", b"0123456789", "bytes 0-9/10"),
        ],
    )
    def test_part(self, asked, body, said):
        """
        The part is sent, and which one it is of how much.
        """
        answer = ranges.cut(whole(), {"range": asked})

        assert (answer.status, answer.body) == (206, body)
        assert answer.headers["content-range"] == said
        assert answer.headers["content-length"] == str(len(body))
        assert answer.headers["etag"] == '"e"'

    @pytest.mark.parametrize("asked", ["bytes=10-", "bytes=99-100", "bytes=-0"])
    def test_none(self, asked):
        """
        Where there is no such part, the answer says how much there is.
        """
        answer = ranges.cut(whole(), {"range": asked})

        assert (answer.status, answer.headers["content-range"]) == (416, "bytes */10")
        assert b"InvalidRange" in answer.body
        assert answer.headers["content-length"] == str(len(answer.body))

    @pytest.mark.parametrize(
        "asked", ["", "bytes=-", "bytes=0-1,4-5", "bytes=5-2", "bytes=a-b", "lines=0-3", "0-3"]
    )
    def test_not_understood(self, asked):
        """
        Several parts, and what is no range, get the whole.
        """
        assert ranges.cut(whole(), {"range": asked}) == whole()

    def test_changed(self):
        """
        If it is not what the viewer has parts of, he gets the whole.
        """
        asked = {"range": "bytes=0-3"}

        assert ranges.cut(whole(), asked | {"if-range": '"e"'}).status == 206
        assert ranges.cut(whole(), asked | {"if-range": '"other"'}) == whole()

    @pytest.mark.parametrize("answer", [whole(404), whole(403), whole(**{"accept-ranges": "none"})])
    def test_no_parts(self, answer):
        """
        Errors, and what an origin does not give parts of, have no parts.
        """
        assert ranges.cut(answer, {"range": "bytes=0-3"}) == answer
