"""two-databases: the same people in two Postgres databases, told differently."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from duplex.examples.showings import Example, Place, Showing
from duplex.examples.sides import Table
from duplex.examples.steps import Pair, Step

CRM_SELECT = """
select email, nullif(trim(coalesce(first_name, '') || ' ' || coalesce(last_name, '')), '') as name, phone, status,
       trim_scale(credit_limit)::text as credit, birthday::text as birthday, street, city, zip
  from public.contacts
"""
ERP_SELECT = """
select mail as email, full_name as name, tel as phone,
       case status_code when 'L' then 'lead' when 'A' then 'active' else 'former' end as status,
       trim_scale(credit)::text as credit, to_date(born, 'DD.MM.YYYY')::text as birthday,
       addr1 as street, town as city, postcode as zip
  from public.customers
"""
CRM_UPDATES = {
    "phone": "update public.contacts set phone = $2 where email = $1",
    "status": "update public.contacts set status = $2 where email = $1",
    "birthday": "update public.contacts set birthday = $2::text::date where email = $1",
}
ERP_UPDATES = {
    "name": "update public.customers set full_name = $2 where mail = $1",
    "phone": "update public.customers set tel = $2 where mail = $1",
    "credit": "update public.customers set credit = $2::text::numeric where mail = $1",
}


def contacts(connection: asyncpg.Connection) -> Table:
    """The CRM's people; a name is its first word and the rest."""
    insert = (
        "insert into public.contacts (email, first_name, last_name, phone) "
        "values ($1, split_part($2::text, ' ', 1), substr($2::text, strpos($2::text, ' ') + 1), $3)"
    )
    removal = "delete from public.contacts where email = $1"
    inserted = ("email", "name", "phone")
    return Table("the CRM", "crm", connection, CRM_SELECT, insert, inserted, CRM_UPDATES, removal)


def customers(connection: asyncpg.Connection) -> Table:
    """The ERP's people."""
    insert = "insert into public.customers (mail, full_name, tel) values ($1, $2, $3)"
    removal = "delete from public.customers where mail = $1"
    inserted = ("email", "name", "phone")
    return Table("the ERP", "erp", connection, ERP_SELECT, insert, inserted, ERP_UPDATES, removal)


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Showing]:
    """Both tables as they are; there is nothing to start."""
    pair = Pair(contacts(place.databases["crm"]), customers(place.databases["erp"]), "email")
    yield Showing(pair, _steps(pair), turn=TURN)


def _steps(pair: Pair) -> Sequence[Step]:
    crm, erp, ada, ben = pair.left, pair.right, "ada@example.com", "ben@example.com"
    return [
        pair.created(crm, {"email": "eve@example.com", "name": "Eve Ekman", "phone": "+44 20 7946 0005"}),
        pair.created(erp, {"email": "fay@example.com", "name": "Fay Fisher"}),
        pair.edited(crm, ada, {"birthday": "1985-03-15"}),
        pair.edited(erp, ada, {"credit": "1750.5"}),
        pair.apart(ben, {"status": "active"}, {"name": "Ben Baker-Hill"}),
        pair.clashed(ben, "phone", "+44 20 7946 0011", "+44 20 7946 0022"),
        pair.removed(crm, "eve@example.com"),
        pair.removed(erp, "fay@example.com"),
    ]


TURN = (
    "  {psql} '{CRM_DSN}' -c \"update contacts set city = 'Leeds' where email = 'ben@example.com'\"",
    "  {psql} '{ERP_DSN}' -c 'select * from customers'",
)
EXAMPLE = Example(
    "two-databases",
    "A CRM and an ERP in Postgres, with different tables of the same people.",
    "contact",
    ("crm", "erp"),
    opened,
)
