"""What a project file may say of a REST application, and how it is told what it may not."""

import copy
from typing import Any

import pytest

from connectors.errors import RefusedError
from connectors.rest.assembly import assembled
from connectors.rest.connector import connector
from connectors.rest.paging import next_link

GOOD: dict[str, Any] = {
    "url": "https://shop.example.com/api",
    "auth": {"type": "bearer", "token": "sesame"},
    "resources": {
        "things": {
            "key": ["id"],
            "columns": {"id": "bigint", "name": "text", "at": {"type": "timestamptz", "read_only": True}},
            "list": {"path": "/things", "pagination": {"type": "page", "parameter": "page"}},
            "get": {"path": "/things/{{ id }}"},
            "update": {"method": "PATCH", "path": "/things/{{ id }}"},
        }
    },
}
THINGS = ("resources", "things")


def with_(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The good settings with one of them otherwise."""
    said = copy.deepcopy(GOOD)
    inner = said
    for step in path[:-1]:
        inner = inner.setdefault(step, {})
    inner[path[-1]] = value
    return said


def refusal(said: dict[str, Any]) -> str:
    with pytest.raises(RefusedError) as caught:
        assembled("shop", said)
    return str(caught.value)


def test_good_settings_are_taken() -> None:
    api = assembled("shop", GOOD).apis["things"]
    assert api.name == "things" and api.key == ("id",)
    assert api.abilities.writes == {"u"} and not api.abilities.since
    id_, name, at = api.columns
    assert id_.generated and not id_.nullable and id_.has_default
    assert name.nullable and not name.generated and at.generated


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("ulr",), "x", ('systems.shop.ulr: there is no such setting. Did you mean "url"?',)),
        (("url",), "shop.example.com", ("systems.shop.url: must be an address",)),
        (("url",), "http://shop.example.com", ("insecure: true",)),
        (("url",), "https://me:secret@shop.example.com", ("credentials go under auth",)),
        (("networks",), ["10.0.0.300/8"], ("systems.shop.networks: 10.0.0.300/8 is no network",)),
        (("limits", "requests"), 0, ("systems.shop.limits.requests",)),
        (("limits", "window"), "1 fortnight", ("systems.shop.limits.window: must be a duration",)),
        (("limits", "request"), 5, ("systems.shop.limits.request:", 'Did you mean "requests"?')),
        (("auth", "type"), "kerberos", ("systems.shop.auth", "bearer", "oauth2")),
        (("auth", "tokne"), "x", ("systems.shop.auth.tokne:", 'Did you mean "token"?')),
        (("auth",), {"type": "bearer"}, ("systems.shop.auth.token: it is missing",)),
        (("auth",), {"type": "api_key", "key": "k"}, ("systems.shop.auth: api_key has either header or query",)),
        (("auth",), {"type": "jwt", "key": "nocolon"}, ("must be <key id>:<secret>",)),
        (("auth",), {"type": "jwt", "key": "a:xyz", "secret_encoding": "hex"}, ("auth.secret: it is no hex text",)),
        (("resources",), {}, ("systems.shop.resources: it must not be empty",)),
        ((*THINGS, "key"), ["uid"], ("systems.shop.resources.things: key names uid",)),
        ((*THINGS, "columns", "name"), "bytea", ("resources.things.columns.name.type: bytea cannot be carried",)),
        ((*THINGS, "columns", "name"), {"type": "text", "pth": "x"}, ("columns.name.pth:", 'Did you mean "path"?')),
        ((*THINGS, "columns", "name"), {"type": "text", "path": "l[0].n"}, ("columns.name.path: update sends row",)),
        ((*THINGS, "list", "path"), "things", ("resources.things.list.path: must begin with one slash",)),
        ((*THINGS, "list", "path"), "//evil.example.com/", ("resources.things.list.path: must begin with one slash",)),
        ((*THINGS, "list", "pagination"), {"type": "pages"}, ("list.pagination: its type must be one of", "cursor")),
        (
            (*THINGS, "list", "pagination"),
            {"type": "page", "prameter": "p"},
            ("list.pagination.prameter:", '"parameter"'),
        ),
        ((*THINGS, "list", "pagination"), {"type": "page"}, ("list.pagination: pages of type page need parameter",)),
        (
            (*THINGS, "list", "pagination"),
            {"type": "cursor", "parameter": "c"},
            ("pagination of type cursor needs cursor",),
        ),
        ((*THINGS, "list", "items"), "data[", ("resources.things.list.items: 'data[' is no path",)),
        ((*THINGS, "get", "path"), "/things/{{ ident }}", ("resources.things.get.path: there is no ident here",)),
        ((*THINGS, "get", "path"), "/things/{{ id", ("resources.things.get.path: {{ is not closed",)),
        ((*THINGS, "get", "method"), "FETCH", ("resources.things.get.method: it must be GET",)),
        ((*THINGS, "update", "method"), "GET", ("resources.things.update.method: a write is no GET",)),
        (
            (*THINGS, "update", "body"),
            {"a": ["{{ rwo }}"]},
            ('update.body.a[0]: there is no rwo here; did you mean "row"?',),
        ),
        ((*THINGS, "changed"), "att", ("resources.things.changed: att is neither", 'did you mean "at"?')),
        ((*THINGS, "version"), "{{ itm.v }}", ("resources.things.version: there is no itm here",)),
        ((*THINGS, "conditional"), {"tag": "{{ item.v }}"}, ("resources.things.conditional: it needs header",)),
        ((*THINGS, "idempotency"), {}, ("resources.things.idempotency: it needs header",)),
        ((*THINGS, "marker"), "at", ("resources.things.marker: column at is read only",)),
        ((*THINGS, "find"), {"by": ["mail"], "path": "/x"}, ("find[0].by names mail",)),
        (
            (*THINGS, "answers"),
            [{"when": "bdy.x", "means": "row"}],
            ("resources.things.answers[0].when: there is no bdy",),
        ),
        (("answers",), [{"when": "true", "means": "fine"}], ("systems.shop.answers[0].means: it must be row",)),
    ],
)
def test_what_is_wrong_is_named_with_its_setting(path: tuple[Any, ...], value: Any, words: tuple[str, ...]) -> None:
    found = refusal(with_(path, value))
    assert [word for word in words if word not in found] == [], found


def test_a_suggestion_ends_as_the_question_that_it_is() -> None:
    assert refusal(with_(("ulr",), "x")).endswith('Did you mean "url"?')


def test_a_syntax_error_does_not_name_every_token_there_is() -> None:
    found = refusal(with_((*THINGS, "get", "path"), "/things/{{ id + }}"))
    assert "is no CEL expression" in found and "expecting" not in found


def test_secrets_are_never_shown() -> None:
    said = with_(("auth",), {"type": "basic", "username": "ada", "password": ["hunter2"]})
    assert "hunter2" not in refusal(said)
    assert "sesame" not in repr(assembled("shop", GOOD).client.manners)


def test_all_faults_are_counted() -> None:
    said = with_(("ulr",), "x") | {"hedaers": {}}
    assert "There are 1 more like this." in refusal(said)


def test_common_settings_are_judged_with_ours() -> None:
    made = connector("shop", "p", {**GOOD, "flows": {"things": [{"sweep": "6h"}]}})
    assert made is not None
    with pytest.raises(RefusedError, match=r"systems\.shop\.flows"):
        connector("shop", "p", {**GOOD, "flows": {"thigns": [{"sweep": "6h"}]}})


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://a/x?page=2>; rel="next"', "https://a/x?page=2"),
        ('<https://a/1>; rel="prev", <https://a/3>; rel="next"', "https://a/3"),
        ("</x?a=1,2;b>; rel=next", "/x?a=1,2;b"),
        ('<u>; title="a, b; rel=\\"prev\\""; rel="next last"', "u"),
        ('<u>; REL="NEXT"', "u"),
        ('<u>; rel="nextish"', None),
        ('<u>; rel="last"', None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_the_next_link_of_a_header(header: str, target: str | None) -> None:
    assert next_link(header) == target
