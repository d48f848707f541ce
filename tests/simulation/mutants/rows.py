"""Mistakes in the rules of rows: echoes, positions, looks, what is planned."""

# The words to be changed stand as they do in the source.
# ruff: noqa: E501

from tests.simulation.mutants.planting import Mutant, edit

ECHOES = (
    Mutant(
        "an echo is treated as an edit",
        edit(
            "answers.acknowledge",
            "if event.failed is not None:",
            "if True:\n        rows.observe(turn, event)\n    elif event.failed is not None:",
        ),
    ),
    Mutant(
        "an echo is dropped",
        edit(
            "answers.acknowledge",
            "if event.failed is not None:",
            "if True:\n        entry = turn.system(event.system)\n        entry.image = None if event.after is None else turn.rules.sides[event.system].image(event.after)\n    elif event.failed is not None:",
        ),
    ),
    Mutant("a rejection is taken as applied", edit("answers.is_applied", "return ", "return True or ")),
    Mutant("a rejection does not advance the image", edit("answers._updated", "if after != before:", "if written:")),
    Mutant(
        "one applied unit acknowledges the whole command",
        edit(
            "answers._updated",
            "if is_applied(unit, before):",
            "if any(is_applied(other, before) for other in sent.units):",
        ),
    ),
    Mutant("what triggers do to a rejected unit is ignored", edit("answers._updated", "if rest:", "if False:")),
    Mutant("what is written counts as an edit, too", edit("answers._updated", "column not in written and ", "")),
    Mutant(
        "our write over a candidate keeps it held",
        edit("answers.take", "if wrote and entry.dissent:", "if False:"),
        theme="approvals",
    ),
    Mutant(
        "a candidate is let go though our write found it",
        edit("answers.take", "if wrote and entry.dissent:", "if entry.dissent:"),
        theme="approvals",
    ),
    Mutant(
        "a refused write is sent again and again", edit("answers._remember", "entry.refused.update(versions)", "pass")
    ),
    Mutant(
        "what was refused once is refused for ever",
        edit("rows.replace", "if entry.refused or entry.suspects:", "if False:"),
        tests="test_answers.py",
        survives="refusals go by version, so that a new value is sent all the same; what is not sent again is the same value over another row. tests/unit/merge/test_answers.py asks for it",
    ),
    Mutant(
        "one refused unit condemns the whole command", edit("answers._remember", "if len(sent.units) > 1:", "if False:")
    ),
    Mutant(
        "a refused unit is never tried with fewer fields",
        edit("planning._units_behind", "refused_of(entry, unit.fields) == versions", "_is_refused(entry, versions)"),
        tests="test_answers.py",
        survives="it takes a field that is parked while its unit is refused: twenty thousand histories",
    ),
    Mutant(
        "a refused delete refuses the row's fields, too",
        edit("answers._remember", 'if sent.op == "d":', "if False:"),
        tests="test_answers.py",
        survives="it takes a row that may not go, was behind, and a record that lives again: thousands of histories",
    ),
    Mutant(
        "a refusal is not put on record",
        edit("answers._remember", "turn.refuse(name, system, found, why)", "pass"),
        tests="test_answers.py",
        survives="the oracle asks for no record of refusals, for no edit is lost by them; tests/unit/merge does",
    ),
    Mutant(
        "a row from triggers is not what the echo left",
        edit("answers._came_or_went", "rows.replace(entry, after)", "rows.replace(entry, unit.set)"),
    ),
)
POSITIONS = (
    Mutant("positions are not checked", edit("rows._advance", "if event.position <= entry.position:", "if False:")),
    Mutant(
        "a repeat one place back is news",
        edit("rows._advance", "event.position <= entry.position", "event.position < entry.position"),
    ),
    Mutant("a moved row forgets where it was", edit("rows._move", "if entry.local_id is not None:", "if False:")),
    Mutant("a second command before the first is answered", edit("planning.plan", "entry.out is not None or ", "")),
    Mutant("told while its existence is parked", edit("planning.plan", "EXISTENCE in entry.dissent or ", "")),
    Mutant(
        "a command without its versions",
        edit("planning._units_behind", "if name in behind}", "if name in behind and place == 0}"),
    ),
    Mutant(
        "only the columns that changed are compared",
        edit(
            "planning._units_behind",
            "base = {column: image.get(column) for column in unit.columns}\n",
            "base = {column: image.get(column) for column in unit.columns}\n        base_of = base\n",
            "units.append(SentUnit(base, want, versions))",
            "units.append(SentUnit({c: v for c, v in base_of.items() if want[c] != v}, {c: v for c, v in want.items() if base_of[c] != v}, versions))",
        ),
    ),
    Mutant("a suspect stays the only one sent", edit("planning._update", "[:1] or units", "[:1]")),
    Mutant("what is agreed upon stays parked", edit("settling.agree", "if entry.dissent and ", "if False and ")),
)
LOOKS = (
    Mutant(
        "looks are not held while a command is out",
        edit("looks.looked", "if entry.out is None:", "if True:"),
        theme="remotes",
    ),
    Mutant(
        "what is only written is not looked after",
        edit("rows.touched", "_keep_ours(turn, event.system, after, frozenset(columns))", "pass"),
        first=118459,
    ),
    Mutant(
        "held looks are dropped",
        edit("looks.looked", "_hold(entry.late, look)", "pass"),
        theme="remotes",
    ),
    Mutant(
        "held looks are merged after the result",
        edit(
            "looks.answered",
            "before = [look for look in late if look.local_id == left.local_id and look.order < event.found_order]",
            "before = []",
            "after = [look for look in late if look.local_id != left.local_id or look.order > event.left_order]",
            "after = late",
        ),
        theme="remotes",
    ),
    Mutant("the row found is not looked at", edit("looks.answered", "_find(turn, event)", "pass"), theme="remotes"),
    Mutant(
        "held looks of two rows are of one order",
        edit(
            "looks.looked", "(other.local_id, other.order) == (look.local_id, look.order)", "other.order == look.order"
        ),
        tests="test_looks.py",
        survives="in these worlds a record has one row in a system without a log; tests/simulation/applications has more",
    ),
    Mutant(
        "the order of looks is not checked",
        edit(
            "looks._changed",
            "position=(BY_LOOK, order)",
            "position=(BY_LOOK, turn_number())",
            "return Changed(",
            "from tests.simulation.mutants.fields import next_outside as turn_number\n    return Changed(",
        ),
        theme="remotes",
    ),
    Mutant(
        "a look between the rows found and left is an edit",
        edit("looks.answered", "look.order < event.found_order", "look.order <= event.left_order"),
        theme="remotes",
    ),
    Mutant(
        "a result is taken whoever asked",
        edit(
            "looks.answered",
            "if not answers.is_answer(entry, left) or (not is_out and left.position <= entry.position):",
            "if entry.out is None:",
        ),
        theme="remotes",
    ),
    Mutant(
        "a held look has the result's clock",
        edit("looks.looked", "Look(event.order, event.ts_us,", "Look(event.order, 0,"),
        theme="remotes",
    ),
)
LOST = (
    Mutant(
        "a retry forgets the command that is out",
        edit(
            "nudges.retry",
            "entry.lost = [*entry.lost, entry.out][-LOST_LIMIT:]",
            "pass",
            "entry.out = None",
            "entry.out = None\n    entry.number = 0",
        ),
        theme="retries",
    ),
    Mutant("a retry sends nothing", edit("nudges.retry", "entry.out = None", "pass"), theme="retries"),
    Mutant(
        "a late write of ours is an edit",
        edit("merge._changed", "answers.late(turn, event)", "rows.observe(turn, event)"),
        theme="retries",
        tests="test_nudges.py",
        survives="the last eight commands given up are remembered, so that an older one's echo must come first: longer than these worlds last. tests/unit/merge has it",
    ),
)
