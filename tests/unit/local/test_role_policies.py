"""What a role's policies allow is what IAM's documentation says that they allow."""

import pytest

from local import role_policies
from local.role_policies import Permission, PolicyError, Use

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/ledger"
LEADING_KEYS = "dynamodb:LeadingKeys"


def statement(**changes):
    return {
        "Sid": "One",
        "Effect": "Allow",
        "Action": ["dynamodb:GetItem", "dynamodb:Query"],
        "Resource": TABLE,
        **changes,
    }


def use(*statements, action="dynamodb:GetItem", resource=TABLE, **context):
    """Return what of a policy of *statements* allows an action."""
    policy = tuple(role_policies.read({"Statement": list(statements)}))
    keys = {name.replace("__", ":"): values for name, values in context.items()}
    return role_policies.use_of(policy, Permission(action, resource, keys))


def leading(*keys, operator="ForAllValues:StringLike", patterns=("bucket#*", "quotas")):
    """Return what allows to read *keys* under a condition on them."""
    condition = {operator: {LEADING_KEYS: list(patterns)}, "Null": {LEADING_KEYS: "false"}}
    return use(statement(Condition=condition), dynamodb__LeadingKeys=keys)


class TestAction:
    @pytest.mark.parametrize(
        ("action", "pattern"),
        [
            ("dynamodb:GetItem", "dynamodb:GetItem"),
            ("dynamodb:GetItem", "dynamodb:getitem"),
            ("dynamodb:GetItem", "dynamodb:Get*"),
            ("dynamodb:GetItem", "dynamodb:?etItem"),
            ("dynamodb:GetItem", "*"),
        ],
    )
    def test_allowed(self, action, pattern):
        """
        An action is allowed by its name, in whatever case, and by a pattern that it fits.
        """
        assert use(statement(Action=pattern), action=action)

    @pytest.mark.parametrize("pattern", ["dynamodb:GetIte", "dynamodb:GetItems", "sqs:*", "?"])
    def test_not_allowed(self, pattern):
        """
        An action that no pattern fits as a whole is not allowed.
        """
        assert use(statement(Action=pattern)) is None


class TestResource:
    @pytest.mark.parametrize("pattern", [TABLE, TABLE[:-3] + "*", "*", [TABLE + "s", TABLE]])
    def test_allowed(self, pattern):
        """
        A resource is allowed by its ARN or a pattern that it fits.
        """
        assert use(statement(Resource=pattern))

    @pytest.mark.parametrize("pattern", [TABLE + "/index/*", TABLE.upper(), TABLE[:-1], "[l]edger"])
    def test_not_allowed(self, pattern):
        """
        A resource that no pattern fits, to the letter and its case, is not allowed.
        """
        assert use(statement(Resource=pattern)) is None

    def test_unknown(self):
        """
        An action without a resource is allowed on all resources only.
        """
        assert use(statement(), resource="*") is None
        assert use(statement(Resource="*"), resource="*")


class TestLeadingKeys:
    def test_all(self):
        """
        Every partition that a request touches must fit one of the patterns.
        """
        assert leading("bucket#a", "quotas")
        assert leading("bucket#a", "signing-keys") is None

    def test_none(self):
        """
        A request that names no partition, such as a Scan, meets ForAllValues but not Null: false.
        """
        condition = {"ForAllValues:StringLike": {LEADING_KEYS: "bucket#*"}}

        assert use(statement(Condition=condition))
        assert leading() is None

    def test_patterns_only_for_like(self):
        """
        StringEquals takes a star for a star.
        """
        assert leading("bucket#a", operator="ForAllValues:StringEquals") is None
        assert leading("quotas", operator="ForAllValues:StringEquals")


class TestOneValue:
    @pytest.mark.parametrize("operator", ["StringEquals", "StringLike"])
    def test_required(self, operator):
        """
        A key of one value must be there, and be what the policy says.
        """
        condition = statement(Condition={operator: {"events:source": "ours"}})

        assert use(condition, events__source=["ours"])
        assert use(condition, events__source=["theirs"]) is None
        assert use(condition) is None

    def test_case(self):
        """
        The name of a condition key is the same in whatever case, its value is not.
        """
        condition = statement(Condition={"StringEquals": {"Events:Source": "ours"}})

        assert use(condition, events__source=["ours"])
        assert use(condition, events__source=["Ours"]) is None

    def test_null(self):
        """
        Null: true is met by whoever does not have the key.
        """
        condition = statement(Condition={"Null": {"events:source": True}})

        assert use(condition)
        assert use(condition, events__source=["ours"]) is None


class TestStatements:
    def test_nothing(self):
        """
        What no statement allows is not allowed.
        """
        assert use() is None

    @pytest.mark.parametrize("allow_first", [True, False])
    def test_deny(self, allow_first):
        """
        What one statement denies, no other allows.
        """
        deny = statement(Effect="Deny", Action="dynamodb:*", Sid="No")
        order = [statement(), deny] if allow_first else [deny, statement()]

        assert use(*order) is None

    def test_use(self):
        """
        What allowed a request is told: the statement, its patterns, and values of its conditions.
        """
        condition = {
            "ForAllValues:StringLike": {LEADING_KEYS: ["bucket#*", "watch#*"]},
            "Null": {LEADING_KEYS: "false"},
        }

        found = use(
            statement(Resource=["arn:aws:s3:::site", TABLE], Condition=condition),
            action="dynamodb:Query",
            dynamodb__LeadingKeys=["bucket#a"],
        )

        assert found == Use(
            "One",
            "dynamodb:Query",
            TABLE,
            frozenset({("dynamodb:leadingkeys", "bucket#*"), ("dynamodb:leadingkeys", "false")}),
        )

    def test_single(self):
        """
        A policy may have one statement that is no list, and one without a name.
        """
        about = statement()
        del about["Sid"]

        (read,) = role_policies.read({"Statement": about})

        assert read.sid == "0"


class TestNotEmulated:
    @pytest.mark.parametrize("place", ["NotAction", "NotResource", "Principal"])
    def test_elements(self, place):
        """
        A policy with an element that nobody evaluates here is refused, not overlooked.
        """
        with pytest.raises(PolicyError, match=place):
            use(statement(**{place: "*"}))

    @pytest.mark.parametrize(
        "condition",
        [
            {"StringNotEquals": {"events:source": "ours"}},
            {"StringEquals": {"aws:SourceIp": "192.0.2.1"}},
        ],
    )
    def test_conditions(self, condition):
        """
        So is one with a condition that nobody evaluates here.
        """
        with pytest.raises(PolicyError, match="One: the condition"):
            use(statement(Condition=condition))
