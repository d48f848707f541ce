"""Mistakes in the rules of fields: versions, conflicts, clocks, policies."""

# The words to be changed stand as they do in the source.
# ruff: noqa: E501

import itertools

from tests.simulation.mutants.planting import Mutant, both, edit

_counter = itertools.count(1)
_ticks = itertools.count(20_000)


def next_outside() -> int:
    """A number that no state has."""
    return next(_counter)


def next_tick() -> int:
    """The time by the machine's clock."""
    return next(_ticks)


VERSIONS = (
    Mutant(
        "seen is always the greatest",
        edit(
            "answers.take",
            "version if wrote else max(turn.seen(system, name), version)",
            "max(turn.seen(system, name), version)",
        ),
    ),
    Mutant(
        "seen is always set",
        edit("answers.take", "version if wrote else max(turn.seen(system, name), version)", "version"),
        survives="one command at a time: the plan in the same turn finds the row as it should be, and notes it as seen",
    ),
    Mutant(
        "seen is kept by the record",
        edit("fields.assign", "del state.systems[by].behind[name]", "state.systems[by].behind.clear()"),
    ),
    Mutant(
        "the record is acknowledged as a whole",
        edit("answers.take", "if wrote and entry.dissent", "entry.behind.clear()\n    if wrote and entry.dissent"),
    ),
    Mutant(
        "acknowledged when sent",
        edit(
            "planning._send",
            "turn.outcome.commands.append",
            "[turn.see(system, n, v) for u in units for n, v in u.versions.items()]\n    turn.outcome.commands.append",
        ),
    ),
    Mutant(
        "the losing edit counts as seen",
        edit(
            "fields._conflict",
            '    if ruling.winner == "incoming":',
            '    turn.see(system, name)\n    if ruling.winner == "incoming":',
        ),
    ),
    Mutant(
        "the writer's row is not seen to show its edit",
        edit("fields.assign", "del state.systems[by].behind[name]", "pass"),
        survives="the plan in the same turn, or the next edit's look at the row it was made on, finds that the row shows the value",
    ),
    Mutant(
        "a decision counts as seen by the first system",
        edit(
            "fields.assign",
            "if by != DECISION:\n        del state.systems[by].behind[name]",
            "del state.systems[by if by != DECISION else turn.rules.systems[0]].behind[name]",
        ),
    ),
    Mutant(
        "values are compared as they are, not through the lens",
        edit("fields.shows", "return turn", "return False and turn"),
    ),
    Mutant(
        "planned by values",
        edit(
            "planning._update", "entry.behind.pop(EXISTENCE, None)", "entry.behind = dict.fromkeys(side.writable, -1)"
        ),
    ),
    Mutant(
        "numbers are kept outside the state",
        edit(
            "turns.Turn.next_record",
            "self.state.decisions += 1",
            "from tests.simulation.mutants.fields import next_outside\n    self.state.decisions = next_outside()",
        ),
    ),
)
CONFLICTS = (
    Mutant(
        "a conflict is not recorded when the incoming wins",
        edit(
            "fields._conflict",
            "    turn.record(name, ruling.winner",
            '    ruling.winner == "incoming" or turn.record(name, ruling.winner',
        ),
    ),
    Mutant(
        "a conflict is not recorded when the current wins",
        edit(
            "fields._conflict",
            "    turn.record(name, ruling.winner",
            '    ruling.winner == "current" or turn.record(name, ruling.winner',
        ),
    ),
    Mutant("every edit is causal", edit("fields.offer", "elif seen == field.version or shows", "elif True or shows")),
    Mutant(
        "an edit is never causal",
        edit("fields.offer", "elif seen == field.version or shows(turn, system, name, before)", "elif False"),
    ),
    Mutant(
        "a stamp is not lifted above its ancestor",
        edit("fields.assign", "ts_us = least_us if ts_us < least_us else ts_us", "pass"),
        theme="clocks",
        first=170,
    ),
    Mutant(
        "the machine's clock decides",
        edit(
            "fields.assign",
            "if field.version > 0:",
            "from tests.simulation.mutants.fields import next_tick\n    ts_us = next_tick()\n    if field.version > 0:",
        ),
    ),
    Mutant(
        "the older wins",
        edit(
            "policies.incoming_wins",
            "_age(incoming, rank) >= _age(current, rank)",
            "_age(incoming, rank) <= _age(current, rank)",
        ),
    ),
    Mutant(
        "a parked item dissolves when the hub moves",
        edit(
            "fields.assign",
            "turn.outcome.golden = True",
            'turn.outcome.golden = True\n    for entry in state.systems.values():\n        item = entry.dissent.pop(name, None)\n        if item is not None:\n            turn.publish(item, "agreement", "current")',
        ),
    ),
    Mutant("a parked value is written over", edit("planning._update", "and name not in dissent", "")),
    Mutant(
        "a parked item keeps its first candidate",
        edit("fields.offer", "item.candidate, item.ts_us = value, ts_us", "item.ts_us = ts_us"),
    ),
    Mutant(
        "a parked item settles when it does not agree",
        edit("settling._settle_held", "and fields.agrees(turn, system, name, item.candidate)", ""),
    ),
    Mutant(
        "an owner's field takes others' edits",
        edit("fields.is_anothers", "return turn.field(name).version > 0", "return False"),
        tests="test_fields.py",
        survives="it makes the owner's word a matter of conflicts: nothing is lost without a record. tests/unit/merge judges who wins",
    ),
    Mutant(
        "an owner's field is not corrected",
        edit("fields.keep_the_owners", "turn.see(system, name, NOT_SHOWN)", "turn.see(system, name)"),
    ),
    Mutant(
        "an edit of an owner's field is lost without a record",
        edit(
            "fields.keep_the_owners",
            'turn.record(name, "current", turn.current(name), Held(system, value, ts_us))',
            "pass",
        ),
    ),
)
POLICIES = (
    Mutant(
        "a counter takes the later value",
        edit("policies.rule", "_added(incoming, current, base) or ", ""),
        theme="counters",
    ),
    Mutant(
        "equal counters agree",
        edit("fields._is_counted", "turn.rules.policies[name], Sum)", "turn.rules.policies[name], int)"),
        theme="counters",
    ),
    Mutant(
        "a counter adds the whole value",
        edit("combinations.delta", "_EXACT.subtract(after, before)", "after"),
        theme="counters",
    ),
    Mutant(
        "a counter adds as floats",
        edit(
            "combinations.total",
            "result = _EXACT.add(held, added)",
            "result = Decimal(repr(float(held) + float(added)))",
        ),
        theme="counters",
    ),
    Mutant(
        "a rounded counter is adopted",
        edit("fields._follow", "is_whole = base[0] == current if base else not unseen", "is_whole = True"),
        theme="counters",
    ),
    Mutant(
        "a merged value counts as shown", edit("fields.adopt", "correct(turn, system, name)", "pass"), theme="counters"
    ),
    Mutant(
        "a list takes the later value",
        edit("policies.rule", "_united(incoming, current, base) or ", ""),
        theme="counters",
    ),
    Mutant(
        "a list forgets no element",
        edit("combinations.together", "if _same(element) not in removed", ""),
        theme="counters",
    ),
    Mutant(
        "a list keeps only what the editor had",
        edit(
            "combinations.together",
            "kept = [element for element in held if _same(element) not in removed]",
            "kept = [element for element in held if _same(element) in {_same(e) for e in wanted}]",
        ),
        theme="counters",
    ),
    Mutant(
        "a function's failure is swallowed",
        edit(
            "policies._called",
            'raise UndecidedError("function", reason) from error',
            'return Ruling("current", current)',
        ),
        tests="test_functions.py",
        survives="the edit loses on record, as in any conflict; tests/unit/merge asks that it be parked",
        theme="counters",
    ),
    Mutant(
        "a deadline passes unnoticed",
        edit("resolutions.decide_due", "0 < item.due_us <= turn.at_us", "0 < item.due_us <= 0"),
        theme="deadlines",
    ),
    Mutant(
        "a deadline comes early",
        edit("resolutions.decide_due", "0 < item.due_us <= turn.at_us", "0 < item.due_us"),
        theme="deadlines",
    ),
    Mutant(
        "a deadline starts anew with each edit",
        edit(
            "fields.offer",
            "item.candidate, item.ts_us = value, ts_us",
            "item.candidate, item.ts_us, item.due_us = value, ts_us, due(turn, name)",
        ),
        theme="deadlines",
    ),
    Mutant(
        "new rules are not asked of open items",
        edit("resolutions.decide_by_rules", "elif policy is not None:", "elif False:"),
        theme="epochs",
    ),
    Mutant(
        "new rules resolve open items unasked",
        edit(
            "settling.agree",
            "return is_due",
            "resolutions.decide_by_rules(turn)\n    return is_due",
        ),
        theme="epochs",
    ),
    Mutant(
        "a resolved item is not taken away",
        edit("resolutions._decide_field", "remove(turn, item)", "pass"),
        theme="epochs",
    ),
    Mutant(
        "rewriting is not noticed",
        edit("oscillation.rewritten", "2 * own.count >= guard.flips", "False"),
        theme="automations",
    ),
    Mutant(
        "any change of hands is a rewriting",
        edit("oscillation.rewritten", "own.count + 1 if _knows(own, value) else 0", "own.count + 1"),
        theme="automations",
    ),
    Mutant(
        "one return is enough",
        both(
            edit("oscillation.rewritten", "2 * own.count >= guard.flips", "own.count"),
            edit("oscillation._too_often", "total < turn.rules.guard.flips", "total < 1"),
        ),
        theme="automations",
    ),
    Mutant(
        "who comes by pays for the others",
        edit("oscillation.rewritten", "2 * own.count >= guard.flips", "own.count"),
        theme="automations",
    ),
    Mutant(
        "agreement on a value that goes round ends the count",
        edit(
            "oscillation.rest",
            "not any(_knows(flip, value) for flip in _returning(turn, name).values())",
            "True",
        ),
        theme="automations",
        tests="test_oscillation.py",
    ),
    Mutant(
        "of two that insist in turn neither is noticed",
        edit("oscillation.insisted", "name + INSISTS + system", "name"),
        theme="automations",
        first=699,
    ),
)
