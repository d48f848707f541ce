"""The text of a new project file: commented, so that it can be read before any manual."""

import re
from collections.abc import Iterator, Sequence

import msgspec

from duplex.proposals.discovery import Database
from duplex.proposals.matching import EntityProposal, FieldProposal

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"}

HEAD = """\
# A duplex project: which systems, which records, who wins. `duplex check` reads it and says what is wrong, with
# line and column; `duplex plan` shows what a first sync would do; `duplex apply` prepares; `duplex run` runs.
pipeline: {pipeline}                        # the prefix of every topic

kafka:
  bootstrap: "${{env:KAFKA_BOOTSTRAP_SERVERS}}"   # secrets and addresses by reference: ${{env:NAME}}
  # partitions: 4                           # of every topic with keys; not to be changed later
  # replication_factor: 3                   # 1 is for one machine only: it is no durability
  # security_protocol: SASL_SSL             # with ssl_ca_file, sasl_mechanism, sasl_username, sasl_password

systems:                                    # the order breaks ties: earlier wins
"""
EXAMPLE = """\

entities:
  contact:                                  # a kind of record that both systems hold
    identity: {match: [email]}              # the same e-mail: the same record. `identity: key`: the same primary key
    fields:                                 # the record as both sides mean it
      email:   {type: string, required: true, check: email}
      name:    {type: string}
      phone:   {type: string, on_conflict: {priority: [crm, erp]}}
      address: {group: [street, city, zip]} # moves as one: never half of one side and half of the other
    systems:                                # how each system holds it
      crm:
        table: public.contacts
        map:
          email: email
          name: {join: [first_name, last_name]}
          phone: phone
          address: {street: street, city: city, zip: zip}
      erp:
        table: public.customers
        map:
          email: mail
          name: full_name
          phone: tel
          address: {street: addr1, city: town, zip: postcode}
"""
PROPOSED = "# Proposed by names and types: read it, correct it, delete what should not be synced.\n"
NO_MATCH = """\

# No two tables look alike enough to propose a map. See the example that `duplex init` writes without --from.
entities: {}
"""


def example(pipeline: str) -> str:
    """The text of a project file for two Postgres systems that nobody has looked at yet."""
    return head(pipeline, ("crm", "erp")) + EXAMPLE


def proposal(pipeline: str, databases: Sequence[Database], entities: Sequence[EntityProposal]) -> str:
    """The text of a project file for these databases, with what seems to belong together."""
    start = head(pipeline, [database.system for database in databases])
    if not entities:
        return start + NO_MATCH
    body = "\n".join("\n".join(_entity(entity)) for entity in entities)
    return f"{start}\n{PROPOSED}entities:\n{body}\n"


def head(pipeline: str, systems: Sequence[str]) -> str:
    """The part of the file before the entities."""
    lines = "".join(f'  {name}: {{connector: postgres, dsn: "${{env:{variable(name)}}}"}}\n' for name in systems)
    return HEAD.format(pipeline=pipeline) + lines


def variable(system: str) -> str:
    """The environment variable that holds a system's address."""
    return f"{system.upper()}_DSN"


def _entity(entity: EntityProposal) -> Iterator[str]:
    yield f"  {entity.name}:"
    yield _identity(entity.identity)
    yield "    fields:"
    for field in entity.fields:
        required = ", required: true" if field.name == entity.identity else ""
        yield f"      {field.name}: {{type: {field.type}{required}}}{_doubt(field)}"
    yield "    systems:"
    for side, table in enumerate(entity.tables):
        yield f"      {table.system}:"
        yield f"        table: {plain(table.name)}"
        yield "        map:"
        yield from (f"          {field.name}: {plain(field.columns[side].name)}" for field in entity.fields)
        left = [c.name for c in table.columns if c.name not in {f.columns[side].name for f in entity.fields}]
        if left:
            yield f"        # not mapped: {', '.join(left)}"


def _identity(identity: str | None) -> str:
    if identity == "key":
        return "    identity: key                         # both tables have the same primary key"
    if identity is not None:
        return f"    identity: {{match: [{identity}]}}"
    return "    # identity: {match: [FIELD]}           # without it, each row is a record of its own until linked"


def _doubt(field: FieldProposal) -> str:
    return "" if field.likeness >= 0.95 else f"  # {field.columns[0].name} and {field.columns[1].name}: a guess"


def plain(text: str) -> str:
    """A name as YAML: quoted where it could be read as something else."""
    ordinary = PLAIN.fullmatch(text) and text.lower() not in YAML_WORDS
    return text if ordinary else msgspec.json.encode(text).decode()
