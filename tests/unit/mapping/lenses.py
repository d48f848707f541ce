"""Lenses for tests: one entity in two systems with different tables, or one field in one column."""

from typing import Any

from schemas.project.model import Entity, FieldRule
from streams.mapping.compiled import TableLens, compile_lens
from streams.mapping.rules import compile_rules
from streams.merge.rules import Rules

CONTACT: dict[str, Any] = {
    "identity": {"match": ["email"]},
    "fields": {
        "email": {"required": True, "check": "email"},
        "name": {},
        "phone": {"check": "phone", "on_conflict": {"priority": ["erp"]}},
        "credit": {"type": "decimal", "owner": "erp"},
        "status": {},
        "born": {"type": "date"},
        "seen": {"type": "datetime"},
        "address": {"group": ["street", "city", "zip"], "on_conflict": "manual"},
    },
    "on_delete": {"erp": "ignore", "policy": "delete_wins"},
    "systems": {
        "crm": {
            "table": "public.contacts",
            "map": {
                "email": "email",
                "name": {"join": ["first_name", "last_name"]},
                "phone": "phone",
                "credit": {"column": "credit_limit", "direction": "in"},
                "status": {"column": "status", "values": {"active": "A", "gone": "X"}},
                "born": {"column": "born", "format": "%d.%m.%Y"},
                "seen": {"column": "seen", "zone": "Europe/Berlin"},
                "address": {"street": "street", "city": "city", "zip": "zip"},
            },
        },
        "erp": {
            "table": "public.customers",
            "map": {
                "email": {"column": "mail", "case": "lower"},
                "name": "full_name",
                "phone": "tel",
                "credit": {"column": "credit"},
                "status": {"column": "state", "values": {"active": 1, "gone": 9}},
                "born": "birth",
                "seen": "seen_at",
                "address": {"street": "addr1", "city": "town", "zip": "postcode"},
            },
            "filter": [{"column": "kind", "one_of": ["person", "both"]}],
        },
    },
}
CRM = {
    "id": "integer",
    "email": "text",
    "first_name": "character varying(40)",
    "last_name": "character varying(40)",
    "phone": "text",
    "credit_limit": "numeric(12,2)",
    "status": "character(1)",
    "born": "text",
    "seen": "timestamp without time zone",
    "street": "text",
    "city": "text",
    "zip": "text",
    "note": "jsonb",
}
ERP = {
    "no": "bigint",
    "mail": "citext",
    "full_name": "text",
    "tel": "text",
    "credit": "numeric",
    "state": "smallint",
    "birth": "date",
    "seen_at": "timestamp(3) with time zone",
    "addr1": "text",
    "town": "text",
    "postcode": "character varying(10)",
    "kind": "text",
}


def contact_rules() -> Rules:
    return compile_rules("contact", Entity.model_validate(CONTACT), {"crm": CRM, "erp": ERP})


def contact_lens(system: str) -> TableLens:
    return compile_lens(Entity.model_validate(CONTACT), system, {"crm": CRM, "erp": ERP}[system], "contact")


def lens_of(rule: dict[str, Any] | FieldRule, mapped: Any, **columns: str) -> TableLens:
    """One field, `f`, mapped like this to columns of these types in a system `s`."""
    entity = Entity.model_validate({"fields": {"f": rule}, "systems": {"s": {"table": "t", "map": {"f": mapped}}}})
    return compile_lens(entity, "s", columns, "e")
