"""Options where they do not belong, help at any width, and files that are no keys."""

from pathlib import Path

import pytest

from commands.cli import CHAPTERS, cli
from commands.exit_codes import Exit
from local.demo import show
from tests.unit.commands import running
from tests.unit.commands.running import run_here


class TestCommonOptions:
    @pytest.mark.parametrize(
        ("option", "command"),
        [
            (["--json"], ["gallery"]),
            (["--stack", "my-stack"], ["gallery"]),
            (["--stack", "my-stack"], ["doctor", "https://d1.cloudfront.net/a"]),
            (["--profile", "a"], ["demo"]),
            (["--region", "eu-west-1"], ["demo"]),
        ],
    )
    def test_not_taken(self, nowhere, option, command):
        """
        An option that the command does not take is refused before the command, too.
        """
        done = run_here(*option, *command)

        assert done.returncode == Exit.USAGE
        assert f"{command[0]} has no option {option[0]}" in done.stderr
        assert done.stdout == ""


class TestHelp:
    def test_examples(self):
        """
        The help of all commands shows examples, of commands that there are.
        """
        examples = run_here("--help").stdout.partition("Examples:\n")[2].split("\n\n")[0]

        names = [line.split()[1] for line in examples.splitlines()]
        assert names
        assert set(names) <= set(cli.commands)

    @pytest.mark.parametrize("columns", ["1", "20", "400"])
    def test_width(self, monkeypatch, columns):
        """
        However narrow the terminal is, no sentence of the list is cut.
        """
        monkeypatch.setenv("COLUMNS", columns)

        done = run_here("--help")

        listed = " ".join(done.stdout.partition("Commands:")[2].split())
        for command in cli.commands.values():
            assert command.get_short_help_str(limit=1_000) in listed


class TestChapter:
    def test_all(self):
        """
        The command knows the chapters that the demo has.
        """
        assert [*show.CHAPTERS, *show.ALONE] == list(CHAPTERS)

    def test_unknown(self, nowhere):
        """
        Another one is refused at once, before anything is installed.
        """
        done = run_here("demo", "--chapter", "nonsense")

        assert done.returncode == Exit.USAGE
        assert "'nonsense' is not one of 'upload'" in done.stderr
        assert done.stdout == ""


class TestPublicKey:
    def refused(self, file):
        done = run_here("doctor", "https://media.example.com/a", "--public-key", str(file))

        assert done.returncode == Exit.REFUSED_OR_FOUND
        assert done.stdout == ""
        return done.stderr

    def test_endless(self):
        """
        A file that never ends is read no further than a key could reach.
        """
        assert "/dev/zero is no PEM file" in self.refused("/dev/zero")

    def test_huge(self, tmp_path):
        """
        A huge file is refused by its length.
        """
        file = tmp_path / "huge"
        file.write_text("A" * 100_000)

        assert "too long" in self.refused(file)

    @pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no such file here")
    def test_unreadable(self):
        """
        A file that cannot be read is named.
        """
        assert "/proc/self/mem cannot be read: " in self.refused("/proc/self/mem")


class TestTyped:
    def test_not_utf_8(self):
        """
        Whatever is typed at a question, it is an answer: here, no.
        """
        variables = {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8:strict"}
        with running.in_terminal("redrive", **variables) as terminal:
            terminal.read_until(b"[y/N]")
            terminal.type(b"\xff\xfey\n")
            terminal.process.wait()
            terminal.read_until(b"done", b"Traceback")

        assert terminal.process.returncode == Exit.REFUSED_OR_FOUND
        assert b"Nothing was done." in terminal.shown
        assert b"Traceback" not in terminal.shown
