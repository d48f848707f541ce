"""The target's own triggers: what they make of our write is in the echo; what they do besides is its own entry."""

from connectors.base import TableSpec
from tests.conformance.commands import Commander
from tests.integration.postgres_sink.conftest import CONTACTS, TABLES, MakeTarget
from tests.integration.postgres_sink.target import Target


async def target_with(make_target: MakeTarget, body: str, when: str, *specs: TableSpec) -> Target:
    """The contacts, with a trigger function of this body."""
    trigger = f"""
        create function own() returns trigger language plpgsql as $$ begin {body} end $$;
        create trigger own {when} on contacts for each row execute function own();
    """
    return await make_target(TABLES + trigger, CONTACTS, *specs)


async def test_a_normalising_trigger_shows_in_the_echo(make_target: MakeTarget, commands: Commander) -> None:
    target = await target_with(make_target, "new.email := lower(new.email); return new;", "before insert or update")
    changed = commands.update("[1]", ({"email": "user1"}, {"email": "ADA"}))
    made = commands.create({"email": "BOB"})
    await target.apply(changed, made)
    assert (await target.echo(changed))["after"]["email"] == "ada"
    assert (await target.echo(made))["after"]["email"] == "bob"
    assert len(await target.log()) == 2


async def test_what_a_trigger_does_to_the_row_afterwards_is_an_entry_after_the_echo(
    make_target: MakeTarget, commands: Commander
) -> None:
    body = "update contacts set city = 'by trigger' where id = new.id and city <> 'by trigger'; return null;"
    target = await target_with(make_target, body, "after update")
    command = commands.update("[1]", ({"name": "Name 1"}, {"name": "new"}))
    await target.apply(command)
    echo, nested = await target.log()
    assert (echo["command"], nested["command"]) == (command.id, None)
    assert (echo["after"]["city"], nested["before"]["city"], nested["after"]["city"]) == ("Bonn", "Bonn", "by trigger")
    assert echo["seq"] < nested["seq"]


async def test_what_a_trigger_does_to_another_table_is_an_ordinary_change(
    make_target: MakeTarget, commands: Commander
) -> None:
    audit = TableSpec("audit", "audits", ("what",), (("what",),))
    target = await make_target(
        TABLES
        + """
        create table audits (id serial primary key, what text);
        create function own() returns trigger language plpgsql as
            $$ begin insert into audits (what) values (new.name); return null; end $$;
        create trigger own after update on contacts for each row execute function own();
        """,
        CONTACTS,
        audit,
    )
    await target.apply(commands.update("[1]", ({"name": "Name 1"}, {"name": "new"})))
    assert [(entry["entity"], entry["op"]) for entry in await target.log()] == [("contact", "u"), ("audit", "c")]


async def test_a_trigger_that_swallows_an_update_is_not_taken_for_success(
    make_target: MakeTarget, commands: Commander
) -> None:
    target = await target_with(make_target, "return null;", "before update")
    command = commands.update("[1]", ({"name": "Name 1"}, {"name": "new"}))
    await target.apply(command)
    assert (await target.echo(command))["after"]["name"] == "Name 1"


async def test_a_trigger_that_swallows_a_delete_leaves_the_row_in_the_echo(
    make_target: MakeTarget, commands: Commander
) -> None:
    target = await target_with(make_target, "return null;", "before delete")
    command = commands.delete("[1]", {"name": "Name 1"})
    await target.apply(command)
    assert (await target.echo(command))["after"]["name"] == "Name 1"


async def test_a_trigger_that_swallows_an_insert_fails_the_create(make_target: MakeTarget, commands: Commander) -> None:
    target = await target_with(make_target, "return null;", "before insert")
    command = commands.create({"name": "x"})
    (effect,) = await target.apply(command)
    assert effect.outcome == "failed" and "triggers returned null" in str(effect.error)


async def test_a_trigger_that_objects_fails_that_command(make_target: MakeTarget, commands: Commander) -> None:
    body = "if new.name = 'bad' then raise exception 'no % here', new.name; end if; return new;"
    target = await target_with(make_target, body, "before update")
    bad = commands.update("[1]", ({"name": "Name 1"}, {"name": "bad"}))
    good = commands.update("[2]", ({"name": "Name 2"}, {"name": "good"}))
    refused, applied = await target.apply(bad, good)
    assert (refused.outcome, refused.error) == ("failed", "no bad here [P0001]")
    assert applied.outcome == "applied"
