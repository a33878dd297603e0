"""In a terminal too narrow for a table, what would be in it is still read."""

import io

from commands.output import Output


class Terminal(io.StringIO):
    def isatty(self):
        return True


def table(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    file = Terminal()
    Output.to(file, None).table(("queue", "reason"), [("Uploads", "no S3 event [/x]")])
    return file.getvalue()


def test_narrow(monkeypatch):
    """
    Each cell has a line of its own, behind its heading.
    """
    assert table(monkeypatch, "20") == "\nqueue: Uploads\nreason: no S3 event [/x]\n"


def test_wide(monkeypatch):
    """
    Where there is room, a row is one line.
    """
    assert any(
        "Uploads" in line and "no S3 event [/x]" in line
        for line in table(monkeypatch, "80").splitlines()
    )
