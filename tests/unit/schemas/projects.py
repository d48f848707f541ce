"""A whole project file, and what becomes of it when one thing in it is changed."""

from pathlib import Path

from schemas.project.findings import Finding, ProjectFileError
from schemas.project.loading import Loaded, load

WHOLE = """\
pipeline: shop
kafka: {bootstrap: "${env:KAFKA_BOOTSTRAP_SERVERS}"}
systems:
  crm: {connector: postgres, dsn: "${env:CRM_DSN}"}
  erp: {connector: postgres, dsn: "postgresql://u:${file:secret}@h/db"}
entities:
  contact:
    identity: {match: [email]}
    fields:
      email: {required: true, check: email}
      name: {}
      credit: {type: decimal, owner: erp}
      phone: {on_conflict: {priority: [crm, erp]}}
      born: {type: date}
      address: {group: [street, city], on_conflict: manual}
    on_delete: {erp: ignore, policy: manual}
    systems:
      crm:
        table: public.contacts
        map:
          email: email
          name: {join: [first_name, last_name]}
          credit: credit_limit
          phone: {column: phone, values: {home: H, work: W}}
          born: {column: born, format: "%d.%m.%Y"}
          address: {street: street, city: city}
        constants: {kind: person}
        filter: [{column: kind, equals: person}]
      erp:
        table: customers
        map:
          email: mail
          name: full_name
          credit: credit
          phone: {column: tel, values: {home: 1, work: 2}}
          born: birth
          address: {street: addr1, city: town}
"""
ENVIRONMENT = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092", "CRM_DSN": "postgresql://h/crm"}


def written(folder: Path, text: str = WHOLE) -> Path:
    """The file, in a folder that has the secret it refers to."""
    (folder / "secret").write_text("s3cret\n")
    path = folder / "duplex.yaml"
    path.write_text(text)
    return path


def loaded(folder: Path, text: str = WHOLE) -> Loaded:
    return load(written(folder, text), ENVIRONMENT)


def changed(old: str, new: str) -> str:
    """The whole file with one thing changed; the thing must be there."""
    assert WHOLE.count(old) >= 1, old
    return WHOLE.replace(old, new, 1)


def refusal(folder: Path, text: str) -> tuple[Finding, ...]:
    """The findings for which this text is refused."""
    try:
        loaded(folder, text)
    except ProjectFileError as error:
        return error.findings
    raise AssertionError("the file was accepted")
