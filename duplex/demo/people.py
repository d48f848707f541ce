"""The demo's contacts: generated from word lists, the same ones every time."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

GIVEN = (
    "Ada",
    "Ben",
    "Cleo",
    "Dina",
    "Emil",
    "Fay",
    "Gus",
    "Hana",
    "Ivo",
    "June",
    "Kai",
    "Lena",
    "Milo",
    "Nora",
    "Otto",
)
FAMILY = (
    "Archer", "Baker", "Carter", "Dyer", "Fisher", "Glover", "Hunter", "Joiner", "Mason", "Miller",
    "Painter", "Potter", "Sawyer", "Smith", "Tailor", "Thatcher", "Turner", "Walker", "Weaver", "Wright",
)  # fmt: skip
TOWNS = (("Amber Bay", "10115"), ("Birch Hill", "20095"), ("Clay Ford", "50667"), ("Dune End", "80331"))
STATUSES = ("lead", "active", "former")


@dataclass(frozen=True, slots=True)
class Person:
    """A contact in the entity's words."""

    email: str
    given: str
    family: str
    phone: str
    status: str
    credit: Decimal
    birthday: date
    street: str
    city: str
    zip: str

    @property
    def crm_row(self) -> tuple[object, ...]:
        """Values for crm's insert, in the order of CRM_COLUMNS."""
        address = (self.street, self.city, self.zip)
        return (self.email, self.given, self.family, self.phone, self.status, self.credit, self.birthday, *address)

    @property
    def erp_row(self) -> tuple[object, ...]:
        """Values for erp's insert, in the order of ERP_COLUMNS."""
        code = {"lead": "L", "active": "A", "former": "X"}[self.status]
        name, born = f"{self.given} {self.family}", self.birthday.strftime("%d.%m.%Y")
        return (self.email, name, self.phone, code, self.credit, born, self.street, self.city, self.zip)


CRM_COLUMNS = "email, first_name, last_name, phone, status, credit_limit, birthday, street, city, zip"
ERP_COLUMNS = "mail, full_name, tel, status_code, credit, born, addr1, town, postcode"


def person(number: int) -> Person:
    """The contact with this number, from 0; numbers below 300 have distinct names."""
    given, family = GIVEN[number % len(GIVEN)], FAMILY[number // len(GIVEN) % len(FAMILY)]
    city, code = TOWNS[number % len(TOWNS)]
    return Person(
        email=f"{given}.{family}.{number}@example.com".lower(),
        given=given,
        family=family,
        phone=f"+1 555 {number:04d}",
        status=STATUSES[number % len(STATUSES)],
        credit=Decimal(number * 50) / 4,
        birthday=date(1960, 1, 1) + timedelta(days=37 * number),
        street=f"{number % 90 + 1} Mill Lane",
        city=city,
        zip=code,
    )
