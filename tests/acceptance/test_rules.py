"""Rules changed under the real program: planned, applied while it runs, refused where they were not applied."""

from tests.acceptance.shops import Shop

PRIORITY = "{priority: [crm, erp]}"
ADA = "email = 'ada@example.com'"
CRM_PHONE, ERP_PHONE = "+44 20 7946 0001", "+44 20 7946 0099"


def rewrite(shop: Shop, old: str, new: str) -> None:
    path = shop.folder / "duplex.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def phones(shop: Shop) -> tuple[str, str]:
    crm = await shop.value(shop.crm, f"select phone from public.contacts where {ADA}")
    return crm, await shop.value(shop.erp, "select tel from public.customers where mail = 'ada@example.com'")


async def test_an_open_conflict_is_decided_by_the_rules_that_are_applied(shop: Shop) -> None:
    rewrite(shop, PRIORITY, "manual")
    await shop.json("apply")
    await shop.start()
    await shop.running()
    await shop.becomes(shop.erp, "select count(*) from public.customers", 4)
    assert await phones(shop) == (CRM_PHONE, ERP_PHONE)

    rewrite(shop, "on_conflict: manual", f"on_conflict: {PRIORITY}")
    (change,) = (await shop.json("plan", accepted=3))["rules"]
    assert change["changes"] == ["field phone: manual → priority crm, erp"]
    assert (change["open"], change["left"], change["decided"][0]["winner"]) == (1, 0, "crm")

    (begun,) = (await shop.json("apply"))["epochs"]
    assert (begun["entity"], begun["number"]) == ("contact", 2)
    await shop.becomes(shop.erp, "select tel from public.customers where mail = 'ada@example.com'", CRM_PHONE)
    assert (await shop.json("apply"))["epochs"] == []
    assert (await shop.json("plan"))["rules"] == []


async def test_rules_that_were_not_applied_are_refused_with_what_changed(shop: Shop) -> None:
    await shop.json("apply")
    rewrite(shop, PRIORITY, "newest")
    code, _, errors = await shop.call("run", "--http-port", "0")
    assert code == 1
    assert "contact: field phone: priority crm, erp → newest" in errors
    assert "Traceback" not in errors


async def test_an_unknown_policy_and_a_function_that_is_not_deterministic_are_refused(shop: Shop) -> None:
    rewrite(shop, PRIORITY, "newst")
    code, out, errors = await shop.call("check")
    assert code == 2
    assert 'must be newest, manual, sum or union; did you mean "newest"?' in out + errors
    rewrite(shop, "newst", "{function: chosen}")
    (shop.folder / "policies").mkdir()
    own = "from streams.mapping.functions import policy\n\n@policy\ndef chosen(current, incoming, base):\n"
    (shop.folder / "policies" / "own.py").write_text(own + "    return next(iter({current, incoming, base}))\n")
    code, out, errors = await shop.call("apply")
    assert code == 2
    assert "own.py:3) is not deterministic: chosen(" in out + errors
    (shop.folder / "policies" / "own.py").write_text(own + "    return current or incoming\n")
    assert (await shop.json("check"))["ok"]
