"""A grant document is read whole or refused, with the place and what would be right there."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cdn.access import grant_document
from cdn.errors import GrantsError
from tests.unit.cdn.access.documents import (
    ANNA,
    EDITOR,
    PAYER,
    decide,
    document,
    grant,
    outcome,
    parsed,
)

DOCS = Path(__file__).parents[4] / "docs"
EXAMPLE = (DOCS / "grants.json").read_text(encoding="utf-8")
SCHEMA = Draft202012Validator(json.loads((DOCS / "grants.schema.json").read_text(encoding="utf-8")))


class TestParse:
    def test_example(self):
        """
        The example in docs/ is a document, and grants what it seems to.
        """
        example = grant_document.parse(EXAMPLE)

        assert outcome(decide(ANNA, "/users/42/a.jpg", document=example)) == "own-files"
        assert outcome(decide(EDITOR, "/films/*", "cookies", document=example)) == "film-library"
        assert outcome(decide(EDITOR, "/films/*", document=example)) == "method_not_granted"
        assert decide(PAYER, "/invoices/42/1.pdf", document=example).bind_ip

    def test_fits(self):
        """
        The example fits into the cheapest of parameters, of 4 KB, with room for twice as much.
        """
        assert len(EXAMPLE.encode()) < 2_048

    @pytest.mark.parametrize(
        ("text", "where", "expected"),
        [
            ("", "$", "be JSON; Expecting value: line 1 column 1 (char 0)"),
            ("{", "$", "be JSON"),
            ("\ufeff{}", "$", "be JSON"),
            ("[" * 100_000, "$", "be JSON of a few levels"),
            ('{"version": 1, "version": 1, "grants": []}', "$", "have no key twice in one object"),
            (
                '{"version": 1, "grants": [{"access_methods": [], "access_methods": []}]}',
                "$",
                "have no key twice",
            ),
            ("[]", "$", "be an object"),
            ("{}", "$", "have version; its keys are version, grants"),
            ('{"version": 1}', "$", "have grants; its keys are version, grants"),
            ('{"version": 2, "grants": []}', "$.version", "be 1"),
            ('{"version": true, "grants": []}', "$.version", "be 1"),
            ('{"version": "1", "grants": []}', "$.version", "be 1"),
            ('{"version": 1, "grants": {}}', "$.grants", "be a list"),
            ('{"version": 1, "grants": [], "$schema": 1}', "$.$schema", "be a text"),
            ('{"version": 1, "grants": [], "default": "allow"}', "$", 'not have "default"'),
            ('{"version": 1, "grants": [[]]}', "$.grants[0]", "be an object"),
        ],
    )
    def test_no_document(self, text, where, expected):
        """
        What is no document is refused with the place, and with what would be right there.
        """
        with pytest.raises(GrantsError) as caught:
            grant_document.parse(text)

        assert caught.value.where == where
        assert expected in caught.value.expected

    @pytest.mark.parametrize(
        ("change", "where", "expected"),
        [
            ({"name": ""}, ".name", "be 1 to 64 letters, digits or -"),
            ({"name": "a b"}, ".name", "be 1 to 64 letters, digits or -"),
            ({"name": None}, ".name", "be 1 to 64 letters, digits or -"),
            ({"claims": {}}, ".claims", "have token_use, scope or scp"),
            ({"claims": {"sub": "42"}}, ".claims", "have token_use, scope or scp"),
            ({"claims": ["token_use"]}, ".claims", "be an object"),
            ({"claims": {"token_use": "any"}}, ".claims.token_use", "be access or id"),
            ({"claims": {"token_use": ["access"]}}, ".claims.token_use", "be access or id"),
            ({"claims": {"scope": "read"}}, ".claims.scope", "be a list"),
            ({"claims": {"scope": []}}, ".claims.scope", "not be empty"),
            ({"claims": {"scope": ["a b"]}}, ".claims.scope[0]", "be a scope, without spaces"),
            ({"claims": {"scp": ["a", "a"]}}, ".claims.scp[1]", "not stand there twice"),
            (
                {"claims": {"scp": ["a"], "cognito:groups": 1}},
                '.claims["cognito:groups"]',
                "be a text or a list of texts",
            ),
            ({"claims": {"scp": ["a"], "aud": [""]}}, ".claims.aud[0]", "be a text"),
            ({"claims": {"scp": ["a"], "a b": "c"}}, '.claims["a b"]', "be named with"),
            ({"path_templates": []}, ".path_templates", "not be empty"),
            ({"path_templates": "https://{host}/*"}, ".path_templates", "be a list"),
            ({"path_templates": [1]}, ".path_templates[0]", "be a text"),
            (
                {"path_templates": ["https://{host}/*", "*"]},
                ".path_templates[1]",
                "start with https://{h",
            ),
            ({"hosts": ["media.example.com", "*"]}, ".hosts[1]", "be a host's name in lower case"),
            ({"hosts": ["Media.example.com"]}, ".hosts[0]", "be a host's name in lower case"),
            ({"hosts": ["media.example.com:443"]}, ".hosts[0]", "be a host's name"),
            ({"hosts": ["127.0.0.1"]}, ".hosts[0]", "be a host's name"),
            ({"hosts": ["büro.example"]}, ".hosts[0]", "be a host's name"),
            ({"hosts": ["media.example.com."]}, ".hosts[0]", "be a host's name"),
            ({"hosts": ["media.example.com\n"]}, ".hosts[0]", "be a host's name"),
            ({"access_methods": ["link"]}, ".access_methods[0]", "be url or cookies"),
            ({"access_methods": [["url"]]}, ".access_methods[0]", "be url or cookies"),
            ({"access_methods": []}, ".access_methods", "not be empty"),
            ({"max_lifetime_s": 0}, ".max_lifetime_s", "be from 1 to 2592000"),
            ({"max_lifetime_s": 2_592_001}, ".max_lifetime_s", "be from 1 to 2592000"),
            ({"max_lifetime_s": 1.5}, ".max_lifetime_s", "be a whole number"),
            ({"max_lifetime_s": True}, ".max_lifetime_s", "be a whole number"),
            ({"max_lifetime_s": "60"}, ".max_lifetime_s", "be a whole number"),
            ({"max_lifetime_s": float("inf")}, ".max_lifetime_s", "be a whole number"),
            ({"max_lifetime_s": float("nan")}, ".max_lifetime_s", "be a whole number"),
            ({"bind_ip": 0}, ".bind_ip", "be true or false"),
            ({"bindip": True}, "", 'not have "bindip"'),
        ],
    )
    def test_no_grant(self, change, where, expected):
        """
        Anything in a grant that is not what it must be is named by its JSON path.
        """
        with pytest.raises(GrantsError) as caught:
            parsed(grant(name="first"), grant(**change))

        assert caught.value.where == f"$.grants[1]{where}"
        assert expected in caught.value.expected
        assert str(caught.value).startswith(f"grant document: {caught.value.where} must ")

    @pytest.mark.parametrize("key", list(grant()))
    def test_incomplete(self, key):
        """
        There is no default: each key must stand there.
        """
        entry = grant()
        del entry[key]

        with pytest.raises(GrantsError, match=f"must have {key}"):
            parsed(entry)

    def test_names(self):
        """
        Two grants cannot have one name, or the audit log would not tell them apart.
        """
        with pytest.raises(GrantsError, match=r"grants\[1\]\.name must be no other grant's name"):
            parsed(grant(), grant())


VALUES: list[object] = [
    *(None, True, False, 0, 1, 60.0, 1.5, -1, 2_592_000, 2_592_001),
    *("", "a", "a b", "url", "id"),
    *([], ["url"], ["cookies", "url"], ["url", "url"], ["a"], ["a", 1], [[]], {}, {"a": 1}),
    *(["media.example.com"], ["a"], ["a-.b"], ["1.2.3.4"], ["A.b"], ["a.b:1"], ["*.a.b"]),
    *(["https://{host}/*"], ["https://{host}/a*"], ["https://{host}/{a}{b}"], ["https://a/*"]),
    *(["https://{host}/../*"], ["https://{host}//"], ["https://{host}/ü ö/{a:b}.x/*"]),
    *({"scope": ["a"]}, {"scope": "a"}, {"scp": ["a", "b"]}, {"scp": []}, {"token_use": "id"}),
    *({"token_use": "x"}, {"token_use": ["id"]}, {"sub": "a"}, {"scp": ["a"], "b": ["c"]}),
    *({"scp": ["a"], "b": []}, {"scp": ["a"], "b": 1}, {"scp": ["a"], "b c": "d"}),
]
DOCUMENTS: list[object] = [
    *VALUES,
    *(document(*entries) for entries in ([], [grant(), grant(name="b")])),
    *(document(grant()) | {key: value} for key in ["version", "$schema", "x"] for value in VALUES),
    *(document(grant(**{key: value})) for key in [*grant(), "x"] for value in VALUES),
    *({**document(), "grants": value} for value in VALUES),
    *(document({k: v for k, v in grant().items() if k != key}) for key in grant()),
]


def accepts(found):
    try:
        grant_document.parse(json.dumps(found))
    except GrantsError:
        return False
    return True


class TestSchema:
    def test_itself(self):
        """
        The published schema is one.
        """
        Draft202012Validator.check_schema(SCHEMA.schema)

    def test_agrees(self):
        """
        The schema and `parse` accept the same documents, as many as differ from good ones in a key.
        """
        accepted = [found for found in DOCUMENTS if accepts(found)]

        assert accepted == [found for found in DOCUMENTS if SCHEMA.is_valid(found)]
        assert 20 < len(accepted) < len(DOCUMENTS) / 2

    def test_beyond(self):
        """
        That names must differ is all that `parse` asks beyond the schema.
        """
        twins = document(grant(), grant())

        assert SCHEMA.is_valid(twins)
        assert not accepts(twins)
