"""The command line: help, options, JSON alone, exit codes, questions, and never a traceback."""

import json
import os
import re
import shlex
import signal
import subprocess
import tomllib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import cdn
from commands import checkout
from commands.account import Account
from commands.cli import cli
from commands.exit_codes import Exit
from commands.options import DEFAULT_STACK
from tests.unit.commands import aws_server, running
from tests.unit.commands.running import ROOT, run, run_here

NAMES = (
    "demo",
    "gallery",
    "routes",
    "doctor",
    "dead-letters",
    "redrive",
    "release",
    "keys",
    "revoke",
)
NEEDING = {"routes": ["a"], "doctor": ["https://d1.cloudfront.net/a"], "revoke": ["K1"]}
PLAN = {
    "keys": [{"key_id": "K1", "state": "signing", "name": "[slug]"}],
    "next": {"step": "wait"},
    "attention": [],
}
REVOKED = {
    "refused": "",
    "key_ids": ["K1"],
    "signing_key_id": "K2",
    "removed_from_group": True,
    "distribution_ids": ["E1"],
    "last_link_expires_at_s": 1_700_000_000,
}


class TestHelp:
    def test_all(self):
        """
        There is each command that is named here, and no other.
        """
        assert sorted(cli.commands) == sorted(NAMES)

    @pytest.mark.parametrize("name", NAMES)
    def test_command(self, name):
        """
        Each command says what it takes, and shows an example.
        """
        done = run_here(name, "--help")

        assert done.returncode == Exit.DONE
        assert done.stdout.startswith(f"Usage: autopilot {name}")
        assert f"Examples:\n    autopilot {name}" in done.stdout
        assert done.stderr == ""

    @pytest.mark.parametrize("name", NAMES)
    def test_examples(self, name):
        """
        The examples are made of options that there are.
        """
        command = cli.commands[name]
        known = {option for parameter in command.params for option in parameter.opts}

        assert set(re.findall(r"(?<=\s)--[a-z-]+", command.epilog or "")) <= known

    def test_listed_whole(self):
        """
        The list of commands cuts no sentence.
        """
        done = run_here("--help")

        assert all(name in done.stdout for name in NAMES)
        assert "..." not in done.stdout.partition("Commands:")[2]
        assert "Exit codes: 0 done; 1" in done.stdout

    def test_nothing_asked(self):
        """
        Who types nothing is shown the help, beside standard output.
        """
        done = run_here()

        assert done.returncode == Exit.USAGE
        assert done.stderr.startswith("Usage: autopilot")
        assert done.stdout == ""


class TestVersion:
    def test_one_place(self):
        """
        Command, package, changelog, README and layer say the version that stands in the layer.
        """
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

        assert run_here("--version").stdout == f"autopilot {cdn.__version__}\n"
        assert "version" in project["project"]["dynamic"]
        assert project["tool"]["hatch"]["version"]["path"] == "layers/cloudfront/cdn/__init__.py"
        for file, words in (
            ("CHANGELOG.md", f"## {cdn.__version__}"),
            ("README.md", f"version {cdn.__version__}"),
            ("template.yaml", f"(cdn {cdn.__version__})"),
        ):
            assert words in (ROOT / file).read_text(encoding="utf-8"), file

    def test_licence(self):
        """
        The licence is named where tools look for it.
        """
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

        assert project["license"] == "Apache-2.0"
        assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")

    def test_default_stack(self):
        """
        The stack that is asked when none is named is the one that `sam deploy` makes.
        """
        config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))

        assert config["default"]["global"]["parameters"]["stack_name"] == DEFAULT_STACK


class TestUsage:
    @pytest.mark.parametrize("name", NAMES)
    def test_unknown_option(self, nowhere, name):
        """
        An option that there is not is refused, by its name.
        """
        done = run_here(name, *NEEDING.get(name, []), "--unknwon")

        assert done.returncode == Exit.USAGE
        assert "--unknwon" in done.stderr
        assert done.stdout == ""

    @pytest.mark.parametrize(
        "arguments",
        [
            ["revok", "K1"],
            ["revoke"],
            ["revoke", ""],
            ["routes"],
            ["routes", "a", "b"],
            ["routes", "\udcff"],
            ["keys", "--stack", "no name"],
            ["keys", "--stack", ""],
            ["keys", "--region", "Frankfurt am Main"],
            ["doctor", "https://d1.cloudfront.net/", "--ip", "1.2.3"],
            ["doctor", "https://d1.cloudfront.net/", "--at", "nan"],
            ["doctor", "https://d1.cloudfront.net/", "--at", "-1"],
            ["doctor", "https://d1.cloudfront.net/", "--at", "1e99"],
            ["doctor", "https://d1.cloudfront.net/", "--public-key", "no/such/file"],
            ["doctor", "https://d1.cloudfront.net/", "--public-key", "."],
            ["demo", "--site", "no/such/folder"],
        ],
    )
    def test_refused(self, nowhere, arguments):
        """
        What cannot be meant is refused in a sentence, before anything is asked of AWS.
        """
        done = run_here(*arguments)

        assert done.returncode == Exit.USAGE
        assert "autopilot: " in done.stderr
        assert done.stdout == ""

    def test_variables(self, account, monkeypatch):
        """
        Variables that make knew say nothing any more.
        """
        for name in (
            "KEY",
            "STACK",
            "FORCE",
            "LEAKED",
            "REDRIVE",
            "YES",
            "JSON",
            "AUTOPILOT_STACK",
        ):
            monkeypatch.setenv(name, "1")
        account.answer = REVOKED

        assert run_here("keys").returncode == Exit.AWS_UNREACHABLE
        assert run_here("revoke", "K1", "--stack", aws_server.STACK).returncode == Exit.USAGE
        run_here("revoke", "K1", "--stack", aws_server.STACK, "--yes")
        assert account.invoked == [{"revoke": "K1", "secret_leaked": False, "force": False}]

    def test_hostile_argument(self):
        """
        What is refused is shown to the letter.
        """
        done = run_here("\x1b[2J\u202e[/x]")

        assert "\\x1b[2J\\u202e[/x]" in done.stderr
        assert "\x1b" not in done.stderr


class TestAnswers:
    """Of each command that asks AWS, with an account that answers."""

    @pytest.fixture
    def stack(self, account):
        account.letters = [("[slug] \u202e", "[/x] \x1b[31m")]
        return account

    def ask(self, *arguments):
        return run_here(*arguments, "--stack", aws_server.STACK)

    @pytest.mark.parametrize(
        ("arguments", "answer", "code"),
        [
            (["routes", "a", "--example"], None, Exit.DONE),
            (["dead-letters"], None, Exit.REFUSED_OR_FOUND),
            (["redrive", "--yes"], None, Exit.DONE),
            (["keys"], PLAN, Exit.DONE),
            (["keys"], PLAN | {"attention": ["[/x]"]}, Exit.REFUSED_OR_FOUND),
            (["revoke", "K1", "--yes"], REVOKED, Exit.DONE),
            (["revoke", "K1", "--yes"], {"refused": "[/x]"}, Exit.REFUSED_OR_FOUND),
        ],
    )
    def test_json(self, stack, arguments, answer, code):
        """
        With --json, standard output is JSON and nothing else.
        """
        stack.answer = answer

        done = self.ask(*arguments, "--json")

        assert done.returncode == code
        assert isinstance(json.loads(done.stdout), dict)
        assert done.stdout.count("\n") == 1

    def test_options_before(self, stack):
        """
        Common options may stand before the command as well.
        """
        done = run_here("--json", "--stack", aws_server.STACK, "dead-letters")

        assert json.loads(done.stdout)["letters"][0]["body"] == "[slug] \u202e"

    @pytest.mark.parametrize(
        ("arguments", "answer", "words"),
        [
            (
                ["dead-letters"],
                None,
                "Uploads\t2023-11-14 22:13:20Z\t[/x] \\x1b[31m\t[slug] \\u202e",
            ),
            (["redrive", "--yes"], None, "Uploads: 1 sent back"),
            (["keys"], PLAN, "K1\tsigning\t[slug]"),
            (["keys"], PLAN | {"attention": ["[/x]"]}, "\n[/x]\n"),
            (["revoke", "K1", "--yes"], REVOKED, "Revoked: K1. Signing now: K2."),
            (["revoke", "K1", "--yes"], {"refused": "[/x]"}, "Nothing was done: [/x]"),
        ],
    )
    def test_people(self, stack, arguments, answer, words):
        """
        People read the same in words, and foreign text to the letter.
        """
        stack.answer = answer

        done = self.ask(*arguments)

        assert words in done.stdout
        assert "\x1b" not in done.stdout + done.stderr

    def test_no_letters(self, account):
        """
        Where there is nothing, that is said, and is well.
        """
        done = self.ask("dead-letters")

        assert done.returncode == Exit.DONE
        assert done.stdout == "There are no dead letters.\n"

    def test_sent_back(self, stack):
        """
        The letters themselves go back.
        """
        self.ask("redrive", "--yes")

        assert stack.sent == ["[slug] \u202e"]

    @pytest.mark.parametrize("options", [[], ["--leaked"], ["--force"], ["--leaked", "--force"]])
    def test_revocation(self, account, options):
        """
        A revocation is asked for as it was typed.
        """
        account.answer = REVOKED

        self.ask("revoke", "K1", "--yes", *options)

        assert account.invoked == [
            {
                "revoke": "K1",
                "secret_leaked": "--leaked" in options,
                "force": "--force" in options,
            }
        ]

    def test_function_failed(self, account):
        """
        A function that failed is said with what Lambda says of it.
        """
        account.answer = "[/x] KeyError"

        done = self.ask("keys", "--json")

        assert done.returncode == Exit.REFUSED_OR_FOUND
        assert "the function failed" in done.stderr
        assert "[/x] KeyError" in done.stderr
        assert done.stdout == ""

    @pytest.mark.parametrize("answer", [{}, {"keys": 1}, {"refused": ""}, [], 1, None])
    @pytest.mark.parametrize("arguments", [["keys"], ["revoke", "K1", "--yes"]])
    def test_other_version(self, account, arguments, answer):
        """
        What a stack of another version answers is no traceback.
        """
        account.answer = answer

        done = self.ask(*arguments)

        assert done.returncode == Exit.REFUSED_OR_FOUND
        assert "autopilot: " in done.stderr

    def test_signs_nothing(self, account):
        """
        Of a stack without signing keys it is said that it has none.
        """
        account.outputs = {}

        done = self.ask("keys")

        assert done.returncode == Exit.REFUSED_OR_FOUND
        assert "without JwtIssuer" in done.stderr

    def test_other_stack(self, account):
        """
        Of a stack of something else it is said that it is not this suite.
        """
        account.parameters = {"Other": "1"}

        done = self.ask("routes", "a")

        assert done.returncode == Exit.REFUSED_OR_FOUND
        assert "is not CloudFront Autopilot" in done.stderr


ASKING = [
    ["routes", "a"],
    ["doctor", "https://d1.cloudfront.net/a"],
    ["dead-letters"],
    ["redrive", "--yes"],
    ["keys"],
    ["revoke", "K1", "--yes"],
]


class TestUnreachable:
    @pytest.mark.parametrize("arguments", ASKING)
    def test_no_credentials(self, nowhere, arguments):
        """
        Without credentials or region each command says what is missing, in sentences.
        """
        done = run_here(*arguments, "--json")

        assert done.returncode == Exit.AWS_UNREACHABLE
        assert "credentials and region" in done.stderr
        assert done.stdout == ""

    @pytest.mark.parametrize("arguments", ASKING)
    def test_no_network(self, nowhere, monkeypatch, arguments):
        """
        Where nobody answers, that is said.
        """
        for name, value in aws_server.CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

        done = run_here(*arguments)

        assert done.returncode == Exit.AWS_UNREACHABLE
        assert "127.0.0.1:1" in done.stderr

    def test_no_cloudfront(self, account, monkeypatch):
        """
        Where CloudFront alone does not answer, that is said as well.
        """
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", "http://127.0.0.1:1")

        done = run_here("routes", "a", "--stack", aws_server.STACK)

        assert done.returncode == Exit.AWS_UNREACHABLE
        assert "127.0.0.1:1" in done.stderr

    def test_no_stack(self, account):
        """
        A stack that there is not is named.
        """
        done = run_here("keys", "--stack", "other")

        assert done.returncode == Exit.AWS_UNREACHABLE
        assert "there is no stack other" in done.stderr

    @pytest.mark.parametrize("variable", ["http://[", "nonsense", "http://a b"])
    def test_endpoint(self, account, monkeypatch, variable):
        """
        An endpoint that is no address is named in the error.
        """
        monkeypatch.setenv("AWS_ENDPOINT_URL", variable)

        assert run_here("keys").returncode == Exit.AWS_UNREACHABLE

    def test_profile(self, nowhere):
        """
        A profile that there is not is named.
        """
        done = run_here("keys", "--profile", "[/x]")

        assert done.returncode == Exit.AWS_UNREACHABLE
        assert "[/x]" in done.stderr

    def test_region(self, nowhere, monkeypatch):
        """
        The region that is named is the one that is asked, before the variables of the AWS CLI.
        """
        for name, value in aws_server.CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_REGION", "eu-south-1")

        def region(name=None):
            return Account.of(profile=None, region=name).client("cloudformation").meta.region_name

        assert region() == "eu-south-1"
        assert region("eu-north-1") == "eu-north-1"
        monkeypatch.delenv("AWS_REGION")
        assert region() == "eu-west-1"

    @pytest.mark.parametrize(
        ("refusal", "code"),
        [
            (("ExpiredToken", 403), Exit.AWS_UNREACHABLE),
            (("InvalidClientTokenId", 403), Exit.AWS_UNREACHABLE),
            (("InternalFailure", 500), Exit.AWS_UNREACHABLE),
            (("AccessDenied", 403), Exit.REFUSED_OR_FOUND),
            (("Throttling", 400), Exit.REFUSED_OR_FOUND),
        ],
    )
    def test_refused(self, account, refusal, code):
        """
        Whom AWS does not know cannot reach it; who may not do this is refused.
        """
        account.refusal = refusal

        done = run_here("keys", "--stack", aws_server.STACK)

        assert done.returncode == code
        assert refusal[0] in done.stderr
        assert "[/refused]" in done.stderr


class TestQuestion:
    ASKED = pytest.mark.parametrize("arguments", [["redrive"], ["revoke", "K1"]])

    @ASKED
    def test_nobody(self, account, arguments):
        """
        Without a terminal and without --yes nothing is done, and --yes is named.
        """
        done = run(*arguments, "--stack", aws_server.STACK, **account.environment())

        assert done.returncode == Exit.USAGE
        assert "--yes" in done.stderr
        assert "Traceback" not in done.stderr
        assert (account.sent, account.invoked) == ([], [])

    def typed(self, account, arguments, typed):
        """Answer the question in a terminal; what the terminal shows is returned, too."""
        with running.in_terminal(
            *(*arguments, "--stack", aws_server.STACK, "--json"),
            stdout=subprocess.PIPE,
            **account.environment(),
        ) as terminal:
            terminal.read_until(b"[y/N]")
            terminal.type(typed)
            stdout, _ = terminal.process.communicate()
        return terminal.process.returncode, stdout.decode(), terminal.shown.decode()

    @pytest.mark.parametrize(
        ("arguments", "answer"), [(["redrive"], b"y\n"), (["revoke", "K1"], b"YES\n")]
    )
    def test_yes(self, account, arguments, answer):
        """
        Who says yes gets it done; the question names the stack, and is not in the answer.
        """
        account.letters = [("a letter", "why")]
        account.answer = REVOKED

        code, stdout, shown = self.typed(account, arguments, answer)

        assert code == Exit.DONE
        assert isinstance(json.loads(stdout), dict)
        assert aws_server.STACK in shown
        assert account.sent or account.invoked

    @pytest.mark.parametrize(
        ("arguments", "answer"),
        [
            (["redrive"], b"\n"),
            (["revoke", "K1"], b"n\n"),
            (["redrive"], b"yet\n"),
            (["revoke", "K1"], b"\x04"),
        ],
    )
    def test_no(self, account, arguments, answer):
        """
        Who says anything else, or nothing, gets nothing done.
        """
        code, stdout, _ = self.typed(account, arguments, answer)

        assert code == Exit.REFUSED_OR_FOUND
        assert stdout == ""
        assert (account.sent, account.invoked) == ([], [])


class TestStreams:
    @pytest.mark.parametrize(
        "redirection", [">&-", "> /dev/full", "| true", "2>&-", "2> /dev/full"]
    )
    def test_nowhere_to_print(self, redirection):
        """
        Where nobody reads, nothing breaks.
        """
        line = shlex.join(running.command("routes", "a", "--example"))
        done = subprocess.run(
            ["/bin/sh", "-c", f"{line} {redirection}; exit 0"],
            cwd=ROOT,
            env=running.environment(),
            capture_output=True,
            text=True,
            check=True,
        )

        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr

    @pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
    def test_encoding(self, encoding):
        """
        What the terminal cannot write is escaped.
        """
        done = run("routes", "中/ü", "--example", PYTHONIOENCODING=encoding, PYTHONUTF8="1")

        assert done.returncode == Exit.DONE
        assert "Traceback" not in done.stderr

    def test_not_cut(self, account):
        """
        In a pipe nothing is cut or wrapped, however narrow the terminal is said to be.
        """
        account.letters = [("x" * 3_000, "why")]

        done = run(
            *("dead-letters", "--stack", aws_server.STACK), COLUMNS="20", **account.environment()
        )

        assert "x" * 3_000 in done.stdout

    def test_stopped(self):
        """
        Ctrl-C ends a command in a sentence.
        """
        with running.in_terminal("redrive") as terminal:
            terminal.read_until(b"[y/N]")
            terminal.process.send_signal(signal.SIGINT)
            terminal.process.wait()
            terminal.read()

        assert terminal.process.returncode == Exit.STOPPED
        assert b"stopped" in terminal.shown
        assert b"Traceback" not in terminal.shown


class TestCheckout:
    @pytest.mark.parametrize("name", ["demo", "gallery"])
    def test_elsewhere(self, nowhere, name):
        """
        Where there is no clone of the repository, they say that one is needed.
        """
        done = run_here(name)

        assert done.returncode == Exit.REFUSED_OR_FOUND
        assert "clone CloudFront Autopilot" in done.stderr

    def test_found(self):
        """
        The clone is found from any folder in it.
        """
        assert checkout.find(ROOT / "local" / "site") == ROOT


class TestMake:
    def test_help(self):
        """
        Make has what builds and tests the suite, and of the commands the demo alone.
        """
        done = subprocess.run(
            ["make", "help"],  # noqa: S607  # whichever is there
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        targets = set(re.findall(r"^  make (\S+)", done.stdout, re.MULTILINE))

        assert targets >= {"help", "demo", "test", "check", "prove", "bench", "lock", "clean"}
        assert targets & set(NAMES) == {"demo"}


WORDS = st.one_of(
    st.sampled_from(
        [*NAMES, *(o for c in cli.commands.values() for p in c.params for o in p.opts)]
    ),
    st.text(st.one_of(st.characters(), st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF))),
    st.sampled_from(["-", "--", "--json", "--example", "", "1", "https://d1.cloudfront.net/a"]),
)


class TestAnything:
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def empty_folder(cls, tmp_path_factory):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path_factory.mktemp("empty"))
            for name in list(os.environ):
                if "AWS" in name:
                    patch.delenv(name)
            for name, value in running.environment().items():
                patch.setenv(name, value)
            yield

    @settings(max_examples=300)
    @given(st.lists(WORDS, max_size=6))
    @example(["doctor", "https://[", "--json"])
    @example(["doctor", "https://[::1", "--public-key", "/dev/null"])
    def test_arguments(self, arguments):
        """
        Whatever is typed ends in an exit code, and standard output steers no terminal.
        """
        done = run_here(*arguments)

        assert done.returncode in {Exit.DONE, Exit.REFUSED_OR_FOUND, Exit.USAGE, 3}
        assert not re.search(
            r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", done.stdout + done.stderr
        )

    @settings(max_examples=200)
    @given(
        key=st.one_of(st.text(min_size=1), st.text("/*?~%+.{}[]\\", min_size=1)),
        bucket=st.one_of(st.just("site"), st.text(min_size=1)),
    )
    def test_routes(self, key, bucket):
        """
        Any key and bucket has an answer.
        """
        done = run_here("routes", "--example", "--json", f"--bucket={bucket}", "--", key)

        assert done.returncode == Exit.DONE
        assert "routes" in json.loads(done.stdout)
