"""Templates: what they yield, what they refuse, and when."""

from decimal import Decimal
from typing import Any

import pytest

from connectors.rest import json_texts
from connectors.rest.errors import TemplateError
from connectors.rest.expressions import OMIT
from connectors.rest.templates import Template, tree

NAMES = {"id", "values", "page", "since", "tag"}
GIVEN: dict[str, Any] = {
    "id": 7,
    "values": {"name": "Ada", "price": Decimal("12.30"), "big": 2**70, "list": [1, "b"], "none": None, "yes": True},
    "page": {"number": 2, "after": None},
    "since": "2026-01-02T03:04:05Z",
    "tag": 'W/"1"',
}


def rendered(text: str) -> Any:
    return Template(text, "here", NAMES)(GIVEN)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{{ id }}", 7),
        ("{{id}}", 7),
        ("{{ values.name }}", "Ada"),
        ("{{ values.price }}", Decimal("12.30")),
        ("{{ values.big }}", 2**70),
        ("{{ values.list }}", [1, "b"]),
        ("{{ values.list[1] }}", "b"),
        ('{{ values["name"] }}', "Ada"),
        ("{{ values.none }}", None),
        ("{{ page.after }}", None),
        ("id {{ id }} of {{ values.name }}", "id 7 of Ada"),
        ("{{ values.price }} €", "12.30 €"),
        ("is {{ values.yes }}", "is true"),
        ("{{ id + 1 }}", 8),
        ("{{ id > 5 ? 'many' : 'few' }}", "many"),
        ("{{ has(values.note) ? values.note : omit }}", OMIT),
        ("{{ omit }}", OMIT),
        ('{{ {"a": {"b": id}} }}', {"a": {"b": 7}}),
        ('{{ {"a": {"b": id}}}}', {"a": {"b": 7}}),
        ("{{ '}}' }}{{ id }}", "}}7"),
        ("{{ values.list.map(x, string(x)).join('-') }}", "1-b"),
        ("{{ values.name.lowerAscii() }}", "ada"),
        ('{{ quoted("it\'s \\\\ so") }}', "'it\\'s \\\\ so'"),
        ("{{ base64('a:b') }}", "YTpi"),
        ("{{ json(values.list) }}", '[1,"b"]'),
        ("{{ http_date(since) }}", "Fri, 02 Jan 2026 03:04:05 GMT"),
        ("{{ tagged('12.5') }}", {"__class__": "Decimal", "decimal": "12.5"}),
        ("{{ tagged('2026-01-02') }}", {"__class__": "date", "year": 2026, "month": 1, "day": 2}),
        ("{{ since.replace('T', ' ').replace('Z', '') }}", "2026-01-02 03:04:05"),
        ("true", "true"),
        ("{{ true }}", True),
    ],
)
def test_what_a_template_yields(text: str, value: Any) -> None:
    found = rendered(text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ idd }}", 'there is no idd here; did you mean "id"?'),
        ("{{ valus.name + 'x' }}", 'there is no valus here; did you mean "values"?'),
        ("{{ id", "not closed"),
        ("{{ id + }}", "no CEL expression"),
        ("{{ }}", "no CEL expression"),
        ("{{ size( }}", "no CEL expression"),
    ],
)
def test_what_is_wrong_is_said_when_the_file_is_read(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        Template(text, "resources.things.get.path", NAMES)
    assert str(caught.value).startswith("resources.things.get.path: ") and why in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "{{ values.note }}",
        "{{ values.note + 'x' }}",
        "a{{ values.none }}",
        "a{{ values.list }}",
        "{{ id + 'x' }}",
        "a{{ omit }}",
    ],
)
def test_what_has_no_value_here_is_an_error_and_names_its_place(text: str) -> None:
    with pytest.raises(TemplateError, match=r"^here: \{\{ "):
        rendered(text)


@pytest.mark.parametrize(
    ("value", "path"),
    [("a b", "/x/a%20b/y"), ("../etc", "/x/..%2Fetc/y"), ("ü?&#%", "/x/%C3%BC%3F%26%23%25/y"), (7, "/x/7/y")],
)
def test_paths_are_percent_encoded(value: Any, path: str) -> None:
    assert Template("/x/{{ id }}/y", "path", NAMES).path({"id": value}) == path


@pytest.mark.parametrize("value", ["", ".", "..", None])
def test_values_that_would_lead_elsewhere_are_refused_in_paths(value: Any) -> None:
    with pytest.raises(TemplateError):
        Template("/x/{{ id }}/y", "path", NAMES).path({"id": value})


def test_a_tree_keeps_its_shape_and_leaves_out_what_is_omitted() -> None:
    said = {
        "a": ["{{ id }}", "{{ omit }}", {"{{ values.name }}-{{ id }}": True}],
        "{{ id > 5 ? omit : 'few' }}": 1,
        "gone": "{{ has(values.note) ? values.note : omit }}",
        "none": None,
        "n": 1.5,
    }
    render, uses = tree(said, "body", NAMES)
    assert render(GIVEN) == {"a": [7, {"Ada-7": True}], "none": None, "n": 1.5}
    assert uses == {"id", "values", "omit"}


def test_exact_numbers_reach_the_body() -> None:
    render, _ = tree({"price": "{{ values.price }}", "all": "{{ values }}"}, "body", NAMES)
    text = json_texts.encode(render({"values": {"price": Decimal("12.30")}})).decode()
    assert text == '{"price":12.30,"all":{"price":12.30}}'
