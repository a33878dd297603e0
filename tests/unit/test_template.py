"""template.yaml and the code agree, and the template keeps its promises by itself."""

import ast
import copy
import re
from pathlib import Path

import boto3
import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from cdn import metrics, settings
from cdn.signing import signing_secret
from cdn.telemetry import StepResult
from functions.rotate_keys import app as rotate_keys

ROOT = Path(__file__).parents[2]
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
RESOURCES = TEMPLATE["Resources"]
PSEUDO = {"AWS::AccountId", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackName"}


def of_type(kind, resources=RESOURCES):
    return {name: about for name, about in resources.items() if about["Type"] == kind}


FUNCTIONS = of_type("AWS::Serverless::Function")
QUEUES = of_type("AWS::SQS::Queue")
DEAD_LETTERS = {
    about["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
    for about in QUEUES.values()
    if "RedrivePolicy" in about["Properties"]
}
# What nobody receives from, and so has no dead letters of its own, is dead letters.
DEAD_LETTERS |= {
    about["Properties"]["DeadLetterQueue"]["TargetArn"]["Fn::GetAtt"][0]
    for about in FUNCTIONS.values()
    if "DeadLetterQueue" in about["Properties"]
}
# What the Parameters and Secrets extension reads beside the function.
OF_EXTENSION = {"SECRETS_MANAGER_TTL", "SSM_PARAMETER_STORE_TTL"}
# A stack's name, which the names of its resources contain, has at most 128 characters.
MAX_NAME_LENGTH = 160
every_function = pytest.mark.parametrize("name", FUNCTIONS)
every_queue = pytest.mark.parametrize("name", QUEUES)


def as_list(value):
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def translated():
    """The plain CloudFormation that SAM makes of the template."""
    template = copy.deepcopy(TEMPLATE)
    for about in template["Resources"].values():
        for place in ("CodeUri", "ContentUri"):
            if place in about.get("Properties", {}):
                about["Properties"][place] = f"s3://bucket/{about['Properties'][place]}"
    translator = Translator(None, Parser(), boto_session=boto3.Session(region_name="eu-west-1"))
    return translator.translate(
        template, parameter_values={"UploadBuckets": "one,two"}, get_managed_policy_map=dict
    )


class TestEnvironment:
    @every_function
    def test_variables(self, name):
        """
        A function's variables are the fields of its settings, no more and no fewer.
        """
        fields = getattr(settings, f"{name}Settings").__dataclass_fields__
        variables = set(FUNCTIONS[name]["Properties"]["Environment"]["Variables"])

        assert variables - OF_EXTENSION == {field.upper() for field in fields}

    @every_function
    def test_settings_read(self, name):
        """
        A handler reads its own settings and nobody else's, and makes use of every one.
        """
        code = handler_file(name).read_text(encoding="utf-8")
        classes = set(re.findall(r"\w+Settings\b", code))
        used = {node.attr for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute)}

        assert classes == {f"{name}Settings"}
        assert used >= set(getattr(settings, f"{name}Settings").__dataclass_fields__)

    def test_powertools(self):
        """
        What all functions share belongs to Powertools alone.
        """
        variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]

        assert all(name.startswith("POWERTOOLS_") for name in variables)

    def test_one_reader(self):
        """
        No module but cdn.settings reads the environment.
        """
        cdn = ROOT / "layers/cloudfront/cdn"
        modules = {*cdn.rglob("*.py"), *(ROOT / "functions").rglob("*.py")}

        readers = {path for path in modules if reads_environment(path.read_text(encoding="utf-8"))}

        assert readers == {cdn / "settings.py"}

    @pytest.mark.parametrize(
        "code",
        [
            "import os\nos.environ['A']",
            "import os as system\nsystem.environ.get('A')",
            "from os import environ",
            "from os import environ as variables",
            "import os\nos.getenv('A')",
            "from os import getenv",
            "from os import *",
        ],
    )
    def test_reader_found(self, code):
        """
        However the environment is read, it is seen.
        """
        assert reads_environment(code)


def reads_environment(code):
    forbidden = {"environ", "environb", "getenv", "getenvb"}
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            names.update("environ" if alias.name == "*" else alias.name for alias in node.names)
    return bool(names & forbidden)


def handler_file(name):
    return ROOT / FUNCTIONS[name]["Properties"]["CodeUri"] / "app.py"


class TestHandlers:
    def test_handler_named_once(self):
        """
        Globals names the handler for all functions.
        """
        assert TEMPLATE["Globals"]["Function"]["Handler"] == "app.lambda_handler"
        assert not [name for name in FUNCTIONS if "Handler" in FUNCTIONS[name]["Properties"]]

    @every_function
    def test_handler_exists(self, name):
        """
        A function's folder holds app.py, and that a lambda_handler of two arguments.
        """
        module = ast.parse(handler_file(name).read_text(encoding="utf-8"))

        handlers = [
            node
            for node in module.body
            if isinstance(node, ast.FunctionDef) and node.name == "lambda_handler"
        ]

        assert [len(handler.args.args) for handler in handlers] == [2]

    def test_every_folder(self):
        """
        Every folder of functions/ is deployed, under the same words in PascalCase.
        """
        folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}

        assert {
            name: f"functions/{re.sub(r'(?<!^)(?=[A-Z])', '_', name).lower()}" for name in FUNCTIONS
        } == {name: FUNCTIONS[name]["Properties"]["CodeUri"] for name in FUNCTIONS}
        assert {handler_file(name).parent.name for name in FUNCTIONS} == folders

    def test_layers(self):
        """
        Every layer is a folder with locked requirements, built for what the functions run on.
        """
        shared = TEMPLATE["Globals"]["Function"]

        for about in of_type("AWS::Serverless::LayerVersion").values():
            pinned = ROOT / about["Properties"]["ContentUri"] / "requirements.txt"
            assert "--hash=sha256:" in pinned.read_text(encoding="utf-8")
            assert about["Metadata"] == {
                "BuildMethod": shared["Runtime"],
                "BuildArchitecture": shared["Architectures"][0],
            }

    def test_layers_of_ours(self):
        """
        A layer that is named by a Ref is one of the template's: `sam build` knows no other.
        """
        ours = of_type("AWS::Serverless::LayerVersion")
        named = [
            layer["Ref"]
            for about in [
                TEMPLATE["Globals"]["Function"],
                *(f["Properties"] for f in FUNCTIONS.values()),
            ]
            for layer in about["Layers"]
            if "Ref" in layer
        ]

        assert named
        assert set(named) <= set(ours)


class TestParameters:
    @pytest.mark.parametrize("name", TEMPLATE["Parameters"])
    def test_described(self, name):
        """
        A parameter says what it means and what it may be, and has a default that is so.
        """
        about = TEMPLATE["Parameters"][name]

        assert about["Description"]
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(about)
        if "AllowedPattern" in about:
            assert re.fullmatch(about["AllowedPattern"], "ab c!") is None
        # Nobody can guess which buckets are meant.
        assert "Default" in about or name == "UploadBuckets"


def references(node):
    """Return what *node* refers to, each with the sections of a template that may hold it."""
    for key, value in node.items() if isinstance(node, dict) else ():
        match key, value:
            case "Ref", name:
                yield name, ("Parameters", "Resources")
            case "Fn::GetAtt", [name, *_]:
                yield name, ("Resources",)
            case "Fn::GetAtt", str(name):
                yield name.partition(".")[0], ("Resources",)
            case "Fn::Sub", str(text):
                yield from ((name, ("Parameters", "Resources")) for name in placeholders(text))
            case "Fn::Sub", [text, own]:
                names = [name for name in placeholders(text) if name not in own]
                yield from ((name, ("Parameters", "Resources")) for name in names)
            case "DependsOn", _:
                yield from ((name, ("Resources",)) for name in as_list(value))
            case ("Fn::If", [name, *_]) | ("Condition", str(name)):
                yield name, ("Conditions",)
    for value in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from references(value)


def placeholders(text):
    return [name.partition(".")[0] for name in re.findall(r"\$\{([^!}][^}]*)\}", text)]


def dangling(template):
    """Return the names to which *template* refers and which it does not hold."""
    return sorted(
        name
        for name, sections in references(template)
        if name not in PSEUDO and not any(name in template.get(section, {}) for section in sections)
    )


class TestReferences:
    def test_written(self):
        """
        Every reference in the template as it is written leads somewhere.
        """
        assert dangling(TEMPLATE) == []

    def test_translated(self, translated):
        """
        Every reference in the template as it is deployed leads somewhere.
        """
        assert dangling(translated) == []

    @pytest.mark.parametrize(
        "reference",
        [
            {"Ref": "Gone"},
            {"Fn::GetAtt": ["Gone", "Arn"]},
            {"Fn::GetAtt": "Gone.Arn"},
            {"Fn::Sub": "a ${Gone} b"},
            {"Fn::Sub": "a ${Gone.Arn} b"},
            {"Fn::Sub": ["a ${Gone} ${Own}", {"Own": "c"}]},
            {"Fn::Sub": ["a ${Own}", {"Own": {"Ref": "Gone"}}]},
            {"DependsOn": "Gone"},
            {"DependsOn": ["Ledger", "Gone"]},
            {"Condition": "Gone"},
            {"Fn::If": ["Gone", "a", "b"]},
        ],
    )
    def test_dangling(self, reference):
        """
        A reference that leads nowhere is found.
        """
        broken = copy.deepcopy(TEMPLATE)
        broken["Resources"]["Planted"] = {"Type": "Planted", **reference}

        assert dangling(broken) == ["Gone"]


HEADING = re.compile(r"^  # ── (.+?) ─+$", re.MULTILINE)


def sections(text):
    """Return the names of the resources under each heading of a template's text, as they stand."""
    resources = text.partition("\nResources:\n")[2].partition("\nOutputs:\n")[0]
    before, *parts = HEADING.split(resources)
    assert not before.strip()
    headings, bodies = parts[::2], parts[1::2]
    assert len(set(headings)) == len(headings)
    return {
        heading: re.findall(r"^  (\w+):$", body, re.MULTILINE)
        for heading, body in zip(headings, bodies, strict=True)
    }


def own_resources(function):
    """Return what is a function's own: its role, its log group, its queue with dead letters."""
    properties = function["Properties"]
    sources = [event["Properties"] for event in properties["Events"].values()]
    triggers = [source.get(key) for source in sources for key in ("Queue", "ApiId")]
    names = {name for name, _ in references([properties["Role"], properties["LoggingConfig"]])}
    names |= {name for name, _ in references(triggers)}
    return names | {f"{name}DeadLetters" for name in names if name in QUEUES}


def jobs_by_resource(resources):
    """
    Return the functions to which each resource belongs.

    A resource that is not a function's own belongs to the functions of what it refers to, such as
    an alarm. If there are none, it belongs to the functions that refer to it, such as the ledger,
    or else to all.
    """
    functions = of_type("AWS::Serverless::Function", resources)
    jobs = {own: {name} for name in functions for own in (name, *own_resources(functions[name]))}
    refers_to = {
        name: {reference for reference, _ in references(about)} for name, about in resources.items()
    }
    referred_by = {
        name: {other for other in resources if name in refers_to[other]} for name in resources
    }
    for related in (refers_to, referred_by):
        while added := {
            name: names
            for name in resources.keys() - jobs.keys()
            if (names := set().union(*(jobs.get(relative, ()) for relative in related[name])))
        }:
            jobs |= added
    return {name: jobs.get(name, set(functions)) for name in resources}


def misplaced(text):
    """
    Return the resources of *text* that do not stand under the heading of their job.

    What belongs to several jobs stands under the heading of one of them, or under a shared one.
    """
    resources = yaml_parse(text)["Resources"]
    folder_by_heading = {heading: folder(heading) for heading in sections(text)}
    folder_by_function = {
        name: Path(about["Properties"]["CodeUri"]).name
        for name, about in of_type("AWS::Serverless::Function", resources).items()
    }
    shared = set(folder_by_heading.values()) - set(folder_by_function.values())
    jobs = jobs_by_resource(resources)
    return sorted(
        name
        for heading, names in sections(text).items()
        for name in names
        if folder_by_heading[heading]
        not in {folder_by_function[job] for job in jobs[name]}
        | (shared if len(jobs[name]) > 1 else set())
    )


def folder(heading):
    """Return the folder of functions/ that a heading names."""
    return heading.lower().replace(" ", "_")


class TestOrder:
    TEXT = (ROOT / "template.yaml").read_text(encoding="utf-8")
    NAMES = tuple(name for names in sections(TEXT).values() for name in names)

    def test_jobs(self):
        """
        All resources of one job stand together, under the heading of its function's folder.
        """
        assert sorted(self.NAMES) == sorted(RESOURCES)
        assert misplaced(self.TEXT) == []

    @pytest.mark.parametrize(
        ("name", "jobs"),
        [
            ("UploadsDeadLettersAlarm", {"CollectChanges"}),
            ("ObjectsChanged", {"CollectChanges"}),
            ("FlushTimers", {"PlanInvalidations"}),
            ("BatchTimers", {"SendInvalidations"}),
            ("PollWatchesLog", {"PollWatches"}),
            (
                "StepsFailedAlarm",
                {"CollectChanges", "PlanInvalidations", "SendInvalidations", "PollWatches"},
            ),
            ("SignAccessByKms", {"SignAccess"}),
            ("RotationOverdueAlarm", {"RotateKeys"}),
            ("SigningSecret", {"SignAccess", "RotateKeys"}),
        ],
    )
    def test_jobs_derived(self, name, jobs):
        """
        What a resource refers to says to which job it belongs.
        """
        assert jobs_by_resource(RESOURCES)[name] == jobs

    @pytest.mark.parametrize(
        "name", ["UploadsPolicy", "SendInvalidationsLog", "WatchTimersPolicy", "SweepFailedAlarm"]
    )
    def test_misplaced(self, name):
        """
        A resource that stands under another heading is found.
        """
        (block,) = re.findall(rf"^  {name}:\n(?:    .*\n)+", self.TEXT, re.MULTILINE)
        moved = self.TEXT.replace(block, "").replace("\nOutputs:\n", f"\n{block}\nOutputs:\n")

        assert yaml_parse(moved) == TEMPLATE
        assert misplaced(moved) == [name]

    def test_shared_first(self):
        """
        What several jobs share stands before the first job.
        """
        are_jobs = [
            (ROOT / "functions" / folder(heading)).is_dir() for heading in sections(self.TEXT)
        ]

        assert are_jobs == sorted(are_jobs)
        assert sum(are_jobs) == len(FUNCTIONS)

    def test_data_flow(self):
        """
        A job that a queue triggers sends timers only to jobs that stand after it.
        """
        jobs = jobs_by_resource(RESOURCES)
        sent = {
            (name, receiver)
            for name, about in FUNCTIONS.items()
            if any(event["Type"] == "SQS" for event in about["Properties"]["Events"].values())
            for statement in statements("AWS::IAM::Role", {name: RESOURCES[f"{name}Role"]})
            if "sqs:SendMessage" in as_list(statement["Action"])
            for queue, _ in references(statement["Resource"])
            if not queue.endswith("DeadLetters")
            for receiver in jobs[queue] - {name}
        }

        assert sent == {
            ("CollectChanges", "PlanInvalidations"),
            ("PlanInvalidations", "SendInvalidations"),
            ("PlanInvalidations", "PollWatches"),
            ("SendInvalidations", "PollWatches"),
        }
        assert all(
            self.NAMES.index(sender) < self.NAMES.index(receiver) for sender, receiver in sent
        )

    def test_outputs(self):
        """
        Outputs stand in the order of the resources that they name.
        """
        names = [
            [name for name, _ in references(output["Value"]) if name in RESOURCES]
            for output in TEMPLATE["Outputs"].values()
        ]
        positions = [self.NAMES.index(name) for resources in names for name in resources]

        assert len(positions) > 5
        assert positions == sorted(positions)


class TestLogs:
    @every_function
    def test_retention(self, name):
        """
        A function writes to a log group of its own, which forgets.
        """
        group = FUNCTIONS[name]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]

        assert group == f"{name}Log"
        assert RESOURCES[group]["Type"] == "AWS::Logs::LogGroup"
        assert RESOURCES[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


class TestQueues:
    @every_queue
    def test_dead_letters(self, name):
        """
        A queue has dead letters of its own, or holds another's.
        """
        redrive = QUEUES[name]["Properties"].get("RedrivePolicy", {})

        target = redrive.get("deadLetterTargetArn", {}).get("Fn::GetAtt", [None])[0]

        assert target == (None if name in DEAD_LETTERS else f"{name}DeadLetters")
        assert target in {None, *QUEUES}

    @pytest.mark.parametrize("name", sorted(DEAD_LETTERS))
    def test_alarm(self, name):
        """
        The first dead letter raises an alarm that says what to do first.
        """
        alarms = [
            about["Properties"]
            for about in of_type("AWS::CloudWatch::Alarm").values()
            if about["Properties"]["Namespace"] == "AWS/SQS"
            and about["Properties"]["Dimensions"][0]["Value"]["Fn::GetAtt"] == [name, "QueueName"]
        ]

        assert len(alarms) == 1
        assert "First step:" in alarms[0]["AlarmDescription"]["Fn::Sub"]
        assert alarms[0]["AlarmActions"] == [{"Ref": "AttentionTopic"}]
        assert alarms[0]["MetricName"] == "ApproximateNumberOfMessagesVisible"
        assert alarms[0]["Threshold"] == 1

    @every_queue
    def test_encrypted(self, name):
        """
        A queue is encrypted where it lies and on the way to it.
        """
        denials = [
            statement
            for statement in statements("AWS::SQS::QueuePolicy")
            if statement["Effect"] == "Deny"
            and {"Fn::GetAtt": [name, "Arn"]} in as_list(statement["Resource"])
        ]

        assert QUEUES[name]["Properties"]["SqsManagedSseEnabled"] is True
        assert [denial["Condition"] for denial in denials] == [
            {"Bool": {"aws:SecureTransport": "false"}}
        ]

    @every_function
    def test_scheduled(self, name):
        """
        What a schedule cannot hand over, and what its function cannot do, is dead-lettered.
        """
        properties = FUNCTIONS[name]["Properties"]
        schedules = [
            e["Properties"] for e in properties["Events"].values() if e["Type"] == "Schedule"
        ]
        queue = {"Fn::GetAtt": ["ScheduleDeadLetters", "Arn"]}

        assert [s["DeadLetterConfig"] for s in schedules] == [{"Arn": queue}] * len(schedules)
        assert ("DeadLetterQueue" in properties) is bool(schedules)
        if schedules:
            (allowed,) = (
                statement
                for statement in statements("AWS::IAM::Role", {name: RESOURCES[f"{name}Role"]})
                if statement.get("Sid") == "DeadLetterEvents"
            )
            assert properties["DeadLetterQueue"] == {"Type": "SQS", "TargetArn": queue}
            assert (allowed["Action"], allowed["Resource"]) == ("sqs:SendMessage", queue)

    def test_rules(self):
        """
        What a rule cannot deliver to its queue is dead-lettered.
        """
        targets = [
            t for r in of_type("AWS::Events::Rule").values() for t in r["Properties"]["Targets"]
        ]

        assert targets
        assert all(target["DeadLetterConfig"] for target in targets)

    @every_function
    def test_triggers(self, name):
        """
        A queue hands over small batches at once, takes single failures back, and outlasts a run.
        """
        properties = FUNCTIONS[name]["Properties"]
        sources = [e["Properties"] for e in properties["Events"].values() if e["Type"] == "SQS"]

        for source in sources:
            queue = QUEUES[source["Queue"]["Fn::GetAtt"][0]]["Properties"]
            assert set(source) == {
                "Queue",
                "BatchSize",
                "FunctionResponseTypes",
                "ScalingConfig",
            }
            # Lambda takes 2 to 1,000, and a new account has 10 in all.
            assert 2 <= source["ScalingConfig"]["MaximumConcurrency"] <= 5
            # One bucket's plan keeps no other waiting.
            assert source["BatchSize"] == (1 if name == "PlanInvalidations" else 10)
            assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
            assert queue["VisibilityTimeout"] > properties["Timeout"]


def statements(kind, resources=RESOURCES):
    """Return every policy statement in the resources of one kind."""

    def walk(node):
        if isinstance(node, list):
            for item in node:
                yield from walk(item)
        elif isinstance(node, dict):
            if "Effect" in node:
                yield node
            for value in node.values():
                yield from walk(value)

    return list(walk([about["Properties"] for about in of_type(kind, resources).values()]))


def upload_buckets():
    """Return the ARNs of the upload buckets, as the permission to list them has them."""
    (listing,) = (s for s in statements("AWS::IAM::Role") if s.get("Sid") == "ListUploadBuckets")
    return listing["Resource"]


ALARMS = of_type("AWS::CloudWatch::Alarm")
every_alarm = pytest.mark.parametrize("name", ALARMS)


def alarms_on(namespace, metric):
    """Return the alarms on a metric, by what their only dimension refers to."""
    return {
        next(references(about["Properties"]["Dimensions"]))[0]: name
        for name, about in ALARMS.items()
        if (about["Properties"]["Namespace"], about["Properties"]["MetricName"])
        == (namespace, metric)
    }


class TestWarnings:
    @pytest.mark.parametrize("metric", ["Errors", "Throttles"])
    def test_functions(self, metric):
        """
        Errors and throttles of each function raise an alarm of its own.
        """
        alarms = alarms_on("AWS/Lambda", metric)

        assert alarms.keys() == FUNCTIONS.keys()
        for function, name in alarms.items():
            assert RESOURCES[name].get("Condition") == FUNCTIONS[function].get("Condition")

    @every_function
    def test_timeouts(self, name):
        """
        The timeouts of each function are counted by the metric of their alarm.
        """
        counted = RESOURCES[f"{name}Timeouts"]
        alarm = RESOURCES["FunctionTimeoutsAlarm"]["Properties"]

        assert counted.get("Condition") == FUNCTIONS[name].get("Condition")
        assert counted["Properties"] == {
            "LogGroupName": {"Ref": f"{name}Log"},
            "FilterPattern": '{ $.type = "platform.report" && $.record.status = "timeout" }',
            "MetricTransformations": [
                {
                    "MetricNamespace": alarm["Namespace"],
                    "MetricName": alarm["MetricName"],
                    "MetricValue": "1",
                }
            ],
        }

    def test_age(self):
        """
        The age of messages is asked for where none is received three times as a matter of course.
        """
        assert {*alarms_on("AWS/SQS", "ApproximateAgeOfOldestMessage")} <= {
            "Uploads",
            *DEAD_LETTERS,
        }

    @every_alarm
    def test_missing(self, name):
        """
        Before its first datum an alarm tells nobody anything; a sweep that ends is told of.
        """
        alarm = RESOURCES[name]["Properties"]

        if name == "OverdueRowsAlarm":
            assert alarm["TreatMissingData"] == "missing"
            assert alarm["InsufficientDataActions"] == alarm["AlarmActions"]
        else:
            assert alarm["TreatMissingData"] == "notBreaching"
            assert "InsufficientDataActions" not in alarm

    def test_sweep(self):
        """
        A sweep that fails raises an alarm of its own: nothing else would report it.
        """
        alarm = RESOURCES["SweepFailedAlarm"]["Properties"]

        assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "Sweep"}}]
        assert alarm["MetricName"] == "Errors"
        assert "First step:" in alarm["AlarmDescription"]["Fn::Sub"]
        assert alarm["AlarmActions"] == [{"Ref": "AttentionTopic"}]

    def test_counted(self):
        """
        The steps that fail in the functions of all timers are counted by the metric of the alarm.
        """
        alarm = RESOURCES["StepsFailedAlarm"]["Properties"]
        names = ("PlanInvalidations", "SendInvalidations", "PollWatches")
        functions = [RESOURCES[name]["Properties"] for name in names]

        assert alarm["MetricName"] == metrics.STEPS_FAILED
        assert alarm["Namespace"] == {"Ref": "AWS::StackName"}
        for function in functions:
            variables = function["Environment"]["Variables"]
            assert variables["METRICS_NAMESPACE"] == alarm["Namespace"]
        for outcome in ("step failed", "batch retried later", "batch failed", "retries exhausted"):
            assert StepResult(outcome).meaning == ("warning", metrics.STEPS_FAILED)
        assert "First step:" in alarm["AlarmDescription"]["Fn::Sub"]
        assert alarm["AlarmActions"] == [{"Ref": "AttentionTopic"}]

    def test_signing(self):
        """
        Each error of signing is counted by the metric of its alarm.
        """
        counted = RESOURCES["SigningErrors"]["Properties"]
        alarm = RESOURCES["SigningErrorsAlarm"]["Properties"]
        (metric,) = counted["MetricTransformations"]

        assert counted["LogGroupName"] == {"Ref": "SignAccessLog"}
        assert counted["FilterPattern"] == '{ $.level = "ERROR" }'
        assert (metric["MetricNamespace"], metric["MetricName"]) == (
            alarm["Namespace"],
            alarm["MetricName"],
        )

    @every_alarm
    def test_first_step(self, name):
        """
        Every alarm names a first step, and reaches somebody.
        """
        alarm = RESOURCES[name]["Properties"]

        assert "First step:" in alarm["AlarmDescription"]["Fn::Sub"].replace("\n", " ")
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AttentionTopic"}]

    @every_alarm
    def test_text(self, name):
        """
        An alarm says what it means for viewers or their links, and fits CloudWatch's limit.
        """
        text = RESOURCES[name]["Properties"]["AlarmDescription"]["Fn::Sub"]

        assert re.search(r"\b(viewers|links)\b", text)
        assert len(text) <= 1024 - MAX_NAME_LENGTH * text.count("${")

    @every_alarm
    def test_commands(self, name):
        """
        A command in an alarm's text names the stack, so that it can be run as it is.
        """
        text = RESOURCES[name]["Properties"]["AlarmDescription"]["Fn::Sub"]
        commands = re.findall(r'"(autopilot [^"]*)"', text)

        assert all(
            re.fullmatch(r"autopilot [a-z-]+ --stack \$\{AWS::StackName\}", command)
            for command in commands
        )
        assert len(commands) == text.count("autopilot ")


class TestCosts:
    def test_counted(self):
        """
        README says how many alarms and metrics there are to pay for.
        """
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        said = [(int(a), int(m)) for a, m in re.findall(r"(\d+) alarms and (\d+) metrics", readme)]
        filtered = {
            about["Properties"]["MetricTransformations"][0]["MetricName"]
            for about in of_type("AWS::Logs::MetricFilter").values()
        }
        of_signing = [name for name, about in ALARMS.items() if "Condition" in about]

        assert [alarms for alarms, _ in said] == [len(ALARMS) - len(of_signing), len(of_signing)]
        assert sum(count for _, count in said) == len(metrics.NAMES | filtered)


class TestTopics:
    @pytest.mark.parametrize(
        ("name", "topic", "condition"),
        [
            ("PersonWhoActs", "AttentionTopic", "SomebodyIsNotified"),
            ("PersonWhoFollows", "RoutineTopic", "RoutineIsNotified"),
        ],
    )
    def test_mail(self, name, topic, condition):
        """
        Mail is sent of what must be acted on, and only by a setting of routine.
        """
        subscription = RESOURCES[name]

        assert subscription["Condition"] == condition
        assert subscription["Properties"] == {
            "TopicArn": {"Ref": topic},
            "Protocol": "email",
            "Endpoint": {"Ref": "NotifyEmail"},
        }
        assert TEMPLATE["Parameters"]["NotifyRoutine"]["Default"] == "no"

    @pytest.mark.parametrize("name", of_type("AWS::SNS::Topic"))
    def test_guarded(self, name):
        """
        A topic is encrypted, takes nothing without TLS, and says where it is.
        """
        denied = [s for s in statements("AWS::SNS::TopicPolicy") if s["Effect"] == "Deny"]

        assert RESOURCES[name]["Properties"]["KmsMasterKeyId"] == {"Ref": "AnnouncementsKey"}
        assert {"Ref": name} in [statement["Resource"] for statement in denied]
        assert TEMPLATE["Outputs"][name]["Value"] == {"Ref": name}


class TestSigning:
    SIGNED = (
        "Api",
        "SignAccess",
        "SignAccessRole",
        "SignAccessLog",
        "SigningSecret",
        "SigningErrors",
        "SigningErrorsAlarm",
        "SignAccessFailedAlarm",
        "RotateKeys",
        "RotateKeysRole",
        "RotateKeysLog",
        "KeyGroup",
        "RotationFailedAlarm",
        "RotationStepsFailedAlarm",
        "RotationOverdueAlarm",
    )

    def test_no_open_endpoint(self):
        """
        Without an issuer of tokens there is no endpoint, and nothing that belongs to it.
        """
        assert TEMPLATE["Parameters"]["JwtIssuer"]["Default"] == ""
        assert all(RESOURCES[name]["Condition"] == "AccessIsSigned" for name in self.SIGNED)

    def test_authorized(self):
        """
        Every route needs a token, but for the description.
        """
        auth = RESOURCES["Api"]["Properties"]["Auth"]
        routes = FUNCTIONS["SignAccess"]["Properties"]["Events"]

        assert auth["DefaultAuthorizer"] in auth["Authorizers"]
        assert {
            about["Properties"]["Path"]
            for about in routes.values()
            if "Auth" in about["Properties"]
        } == {"/openapi.json"}

    def test_boto3(self):
        """
        The function that signs gets boto3 only where keys are in KMS; every other one has it.
        """
        layers = {name: about["Properties"]["Layers"] for name, about in FUNCTIONS.items()}

        assert layers.pop("SignAccess") == [
            {"Fn::Sub": "{{resolve:ssm:${SecretsExtension}}}"},
            {"Fn::If": ["KeysAreInKms", {"Ref": "Boto3"}, {"Ref": "AWS::NoValue"}]},
        ]
        assert all(references == [{"Ref": "Boto3"}] for references in layers.values())

    def test_secret_kept(self):
        """
        The secret outlives the stack: links that live on were signed with what it holds.
        """
        secret = RESOURCES["SigningSecret"]

        assert secret["DeletionPolicy"] == secret["UpdateReplacePolicy"] == "Retain"
        assert signing_secret.PLACEHOLDER == secret["Properties"]["SecretString"]


class TestRotation:
    def test_no_keys(self):
        """
        The template holds no key group and no key: an update would put old keys back.
        """
        kinds = {about["Type"] for about in RESOURCES.values()}

        assert not kinds & {"AWS::CloudFront::KeyGroup", "AWS::CloudFront::PublicKey"}
        assert TEMPLATE["Outputs"]["KeyGroupId"]["Value"] == {"Fn::GetAtt": ["KeyGroup", "Id"]}

    def test_kept(self):
        """
        The key group stays when the stack goes, unless somebody says otherwise.
        """
        properties = RESOURCES["KeyGroup"]["Properties"]

        assert properties["DeleteEverything"] == {"Ref": "DeleteKeyGroup"}
        assert TEMPLATE["Parameters"]["DeleteKeyGroup"]["Default"] == "no"
        assert TEMPLATE["Parameters"]["AdoptForeign"]["Default"] == "no"

    def test_answers_in_time(self):
        """
        CloudFormation waits for longer than the function and both of its retries take.
        """
        timeout_s = FUNCTIONS["RotateKeys"]["Properties"]["Timeout"]
        waits_s = RESOURCES["KeyGroup"]["Properties"]["ServiceTimeout"]

        assert waits_s > 3 * timeout_s + 60 + 120

    def test_signer_timeout(self):
        """
        No request signs for longer than a drained key waits for.
        """
        assert FUNCTIONS["SignAccess"]["Properties"]["Timeout"] <= rotate_keys.SIGNER_TIMEOUT_S

    @pytest.mark.parametrize(
        ("name", "metric"),
        [
            ("RotationStepsFailedAlarm", "RotationStepsFailed"),
            ("RotationOverdueAlarm", "RotationDueIn"),
        ],
    )
    def test_counted(self, name, metric):
        """
        An alarm has a metric that the function writes, in the stack's own namespace.
        """
        alarm = RESOURCES[name]["Properties"]
        variables = FUNCTIONS["RotateKeys"]["Properties"]["Environment"]["Variables"]

        assert alarm["MetricName"] == metric
        assert alarm["Namespace"] == variables["STACK"]
        assert metric in metrics.NAMES
        assert f'"{metric}"' in (ROOT / "layers/cloudfront/cdn/metrics.py").read_text()


class TestPermissions:
    def test_roles_written_out(self, translated):
        """
        SAM adds no role and no permission of its own: its managed policies read any queue.
        """
        roles = of_type("AWS::IAM::Role", translated["Resources"])

        assert roles == of_type("AWS::IAM::Role")
        assert not [role for role in roles.values() if "ManagedPolicyArns" in role["Properties"]]

    @every_function
    def test_own_role(self, name):
        """
        Every function has a role of its own.
        """
        assert FUNCTIONS[name]["Properties"]["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}

    @pytest.mark.parametrize(
        "kind",
        ["AWS::IAM::Role", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::KMS::Key"],
    )
    def test_actions_named(self, kind):
        """
        Whoever is allowed something is allowed actions by name, except the account its own key.
        """
        every = statements(kind)

        loose = [
            statement["Sid"]
            for statement in every
            if statement["Effect"] == "Allow"
            and any("*" in action for action in as_list(statement["Action"]))
        ]

        assert every
        assert loose == (["AccountDecides"] if kind == "AWS::KMS::Key" else [])

    def test_resources_named(self):
        """
        Only an action for which CloudFront knows no resource is allowed on all of them.
        """
        everywhere = [
            action
            for statement in statements("AWS::IAM::Role")
            if "Resource" in statement and "*" in as_list(statement["Resource"])
            for action in as_list(statement["Action"])
        ]

        assert everywhere == [
            "cloudfront:ListDistributions",
            "cloudfront:ListCachePolicies",
            "cloudfront:ListPublicKeys",
            "cloudfront:GetPublicKey",
            "cloudfront:CreatePublicKey",
            "cloudfront:DeletePublicKey",
            "cloudfront:ListKeyGroups",
            "cloudfront:GetKeyGroup",
            "cloudfront:CreateKeyGroup",
            "cloudfront:UpdateKeyGroup",
            "cloudfront:DeleteKeyGroup",
            "cloudfront:ListDistributionsByKeyGroup",
        ]

    def test_services_bound(self):
        """
        A service that may write here may do so for this account alone.
        """
        written = [
            statement
            for kind in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::KMS::Key")
            for statement in statements(kind)
            if isinstance(statement["Principal"], dict) and "Service" in statement["Principal"]
        ]

        assert len(written) == 6
        for statement in written:
            assert statement["Condition"]["StringEquals"] == {
                "aws:SourceAccount": {"Ref": "AWS::AccountId"}
            }

    def test_who_delivers(self):
        """
        Of all rules only ours, and of all buckets only the named ones, may fill a queue.
        """
        allowed = [s for s in statements("AWS::SQS::QueuePolicy") if s["Effect"] == "Allow"]
        schedules, rule, buckets, topics = allowed

        assert schedules["Resource"] == {"Fn::GetAtt": ["ScheduleDeadLetters", "Arn"]}
        assert schedules["Condition"]["ArnLike"]["aws:SourceArn"] == {
            "Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}"
            ":rule/${AWS::StackName}-*"
        }
        assert rule["Condition"]["ArnEquals"] == {
            "aws:SourceArn": {"Fn::GetAtt": ["ObjectsChanged", "Arn"]}
        }
        assert buckets["Condition"]["ArnEquals"] == {"aws:SourceArn": upload_buckets()}
        assert topics["Condition"]["ArnLike"]["aws:SourceArn"] == {
            "Fn::Sub": "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:*"
        }
        assert {s["Action"] for s in allowed} == {"sqs:SendMessage"}


class TestLedger:
    def test_kept(self):
        """
        The ledger outlives the stack, and can be brought back to any minute.
        """
        ledger = RESOURCES["Ledger"]

        assert ledger["DeletionPolicy"] == ledger["UpdateReplacePolicy"] == "Retain"
        assert ledger["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
        assert ledger["Properties"]["PointInTimeRecoverySpecification"] == {
            "PointInTimeRecoveryEnabled": True
        }

    def test_buckets_not_owned(self, translated):
        """
        No upload bucket belongs to the stack, and none is configured by it.
        """
        kinds = {about["Type"] for about in translated["Resources"].values()}

        assert not [kind for kind in kinds if kind.startswith("AWS::S3")]
        assert {kind for kind in kinds if kind.startswith("Custom::")} == {"Custom::KeyGroup"}
