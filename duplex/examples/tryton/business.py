"""What a business does in Tryton besides its parties: a company with books, goods in stock, orders that are paid.

Every call is one that Tryton's own clients make; wizards are answered as a person would.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from duplex.examples.tryton.user import Row, User, day, number

CHART = ("account", "account_template_root_en")
# The records that a new database has: the unit "piece", where goods come from and lie.
PIECE, SUPPLIER, STORAGE = 1, 4, 3


@dataclass(frozen=True, slots=True)
class Company:
    """A company in whose name one works; `context` says so in every call."""

    user: User
    number: int
    currency: int

    @property
    def context(self) -> Row:
        return {"company": self.number}

    async def call(self, method: str, *values: Any) -> Any:
        """Call a method of a model in the company's name. Raises TrytonError."""
        return await self.user.call(method, *values, context=self.context)

    async def add(self, model: str, **values: Any) -> int:
        """Make a record in the company's name; its id."""
        [made] = await self.call(f"model.{model}.create", [values])
        return int(made)

    async def first(self, model: str, *domain: Sequence[Any]) -> int:
        """The id of the first record of a domain."""
        found = await self.call(f"model.{model}.search", list(domain), 0, 1, [["id", "ASC"]])
        return int(found[0])

    async def stocked(self, code: str, name: str, quantity: float, price: str, category: int | None = None) -> int:
        """Goods that are sold by the piece, so many of them delivered; the product's id."""
        goods = {**_goods(name, code, price), **({"account_category": category} if category else {})}
        template = await self.add("product.template", **goods)
        product = await self.first("product.product", ["template", "=", template])
        await self.delivered(product, quantity)
        return product

    async def delivered(self, product: int, quantity: float) -> None:
        """So many of a product come into stock."""
        move = {"product": product, "unit": PIECE, "quantity": quantity, "from_location": SUPPLIER}
        made = await self.add("stock.move", **move, to_location=STORAGE, **self.context)
        await self.call("model.stock.move.do", [made])


@dataclass(frozen=True, slots=True)
class Wizard:
    """A dialogue that a client has opened."""

    company: Company
    name: str
    session: int
    about: Row

    @classmethod
    async def begun(cls, company: Company, name: str, about: Row | None = None) -> Self:
        """Open a dialogue; `about` names the record that it is of. Raises TrytonError."""
        context = {**company.context, **(about or {})}
        session, *_ = await company.user.call(f"wizard.{name}.create", context=context)
        return cls(company, name, session, context)

    async def answer(self, button: str, **pages: Row) -> None:
        """Fill in these pages and press a button."""
        await self.company.user.call(f"wizard.{self.name}.execute", self.session, pages, button, context=self.about)


@dataclass(frozen=True, slots=True)
class Books:
    """A company's accounts for this year: where its sales are booked, and how it is paid."""

    company: Company
    category: int
    payment_term: int
    payment_method: int

    async def ordered(self, party: int, product: int, reference: str, quantity: float, price: str) -> int:
        """A customer's order, confirmed, to be invoiced at once; its id."""
        line = {"product": product, "quantity": quantity, "unit": PIECE, "unit_price": number(price)}
        address = await self.company.first("party.address", ["party", "=", party])
        order = await self.company.add(
            "sale.sale",
            party=party, reference=reference, currency=self.company.currency, payment_term=self.payment_term,
            invoice_address=address, shipment_address=address, invoice_method="order", sale_date=day(date.today()),
            lines=[["create", [line]]], **self.company.context,
        )  # fmt: skip
        for step in ("quote", "confirm", "process"):
            await self.company.call(f"model.sale.sale.{step}", [order])
        return order

    async def invoiced(self, order: int) -> int:
        """The order's invoice, posted; its id."""
        [found] = await self.company.call("model.sale.sale.read", [order], ["invoices"])
        [invoice] = found["invoices"]
        await self.company.call("model.account.invoice.post", [invoice])
        return int(invoice)

    async def paid(self, invoice: int) -> None:
        """The customer pays the whole invoice."""
        fields = ["party", "company", "currency", "amount_to_pay", "account"]
        [due] = await self.company.call("model.account.invoice.read", [invoice], fields)
        start = {
            "payee": due["party"], "payees": [due["party"]], "company": due["company"], "currency": due["currency"],
            "amount": due["amount_to_pay"], "invoice_account": due["account"], "date": day(date.today()),
            "payment_method": self.payment_method,
        }  # fmt: skip
        about = {"active_model": "account.invoice", "active_id": invoice, "active_ids": [invoice]}
        wizard = await Wizard.begun(self.company, "account.invoice.pay", about)
        await wizard.answer("choice", start=start)


async def founded(user: User, name: str) -> Company:
    """A new company, for which the user works from now on."""
    currency = await user.add("currency.currency", name="Euro", code="EUR", symbol="€", numeric_code="978")
    party = await user.add("party.party", name=name)
    company = await user.add("company.company", party=party, currency=currency)
    [me] = await user.call("model.res.user.search", [["login", "=", user.name]])
    await user.edit("res.user", me, companies=[["add", [company]]], company=company)
    return Company(user, company, currency)


async def opened(company: Company) -> Books:
    """The company's books: a chart of accounts, this year's periods, a category of goods, payment in cash."""
    await _charted(company)
    await _begun(company, date.today().year)
    revenue, expense = await _account(company, "revenue"), await _account(company, "expense")
    category = await company.add(
        "product.category", name="Goods", accounting=True, account_revenue=revenue, account_expense=expense
    )
    term = await company.add(
        "account.invoice.payment_term", name="At once", lines=[["create", [{"type": "remainder"}]]]
    )
    return Books(company, category, term, await _cash(company))


async def _charted(company: Company) -> None:
    template = await company.user.call("model.ir.model.data.get_id", *CHART)
    account = {"account_template": template, "company": company.number}
    wizard = await Wizard.begun(company, "account.create_chart")
    await wizard.answer("create_account", account=account)
    kinds = {
        f"account_{kind}": await _account(company, kind, party_required=True) for kind in ("receivable", "payable")
    }
    await wizard.answer("create_properties", account=account, properties={"company": company.number, **kinds})


async def _account(company: Company, kind: str, **more: object) -> int:
    wanted = [[name, "=", value] for name, value in more.items()]
    # The headings of a chart are closed: nothing is booked on them.
    booked = (["closed", "!=", True], ["company", "=", company.number])
    return await company.first("account.account", [f"type.{kind}", "=", True], *booked, *wanted)


async def _begun(company: Company, year: int) -> None:
    moves, invoices = [await _sequence(company, kind) for kind in ("Account Move", "Invoice")]
    kinds = ("out_invoice", "in_invoice", "out_credit_note", "in_credit_note")
    sequences = {f"{kind}_sequence": invoices for kind in kinds}
    made = await company.add(
        "account.fiscalyear",
        name=str(year), start_date=day(date(year, 1, 1)), end_date=day(date(year, 12, 31)), move_sequence=moves,
        invoice_sequences=[["create", [{**sequences, **company.context}]]], **company.context,
    )  # fmt: skip
    await company.call("model.account.fiscalyear.create_period", [made])


async def _sequence(company: Company, kind: str) -> int:
    found = await company.first("ir.sequence.type", ["name", "=", kind])
    return await company.add("ir.sequence.strict", name=kind, sequence_type=found, **company.context)


async def _cash(company: Company) -> int:
    journal = await company.first("account.journal", ["type", "=", "cash"])
    cash = await company.first("account.account", ["code", "=", "1.1.1"], ["company", "=", company.number])
    return await company.add(
        "account.invoice.payment.method",
        name="Cash", journal=journal, credit_account=cash, debit_account=cash, **company.context,
    )  # fmt: skip


def _goods(name: str, code: str, price: str) -> Row:
    return {
        "name": name,
        "type": "goods",
        "default_uom": PIECE,
        "salable": True,
        "sale_uom": PIECE,
        "list_price": number(price),
        "products": [["create", [{"suffix_code": code}]]],
    }
