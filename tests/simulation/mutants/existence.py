"""Mistakes in the rules of life and death, of decisions and of amendments; and in the world around the merge."""

# The words to be changed stand as they do in the source.
# ruff: noqa: E501

from tests.simulation.mutants.planting import Mutant, edit

EXISTENCE = (
    Mutant(
        "an edit of a tombstone leaves seen as it was",
        edit("existence._edit_the_dead", "turn.see(system, name, NOT_SHOWN)", "pass"),
        tests="test_existence.py",
        survives="it takes some twenty thousand histories",
    ),
    Mutant(
        "the dead values win over the reviving edit",
        edit("existence._outlive", "for name, value in changed.items():", "for name, value in ():"),
        tests="test_existence.py",
        survives="the corrected row says what was written, and is planned for: rare",
    ),
    Mutant(
        "revived before the edits are assigned",
        edit(
            "existence._outlive",
            "    for name, value in changed.items():\n        fields.outlive(turn, system, name, value, ts_us)\n    revive(turn, system, ts_us)",
            "    revive(turn, system, ts_us)\n    for name, value in changed.items():\n        fields.outlive(turn, system, name, value, ts_us)",
        ),
        survives="under update_wins nothing is parked against a tombstone but by an earlier epoch, so that the order does not show; tests/unit/merge/test_existence.py has it",
    ),
    Mutant(
        "an insert over a tombstone revives",
        edit("existence.inserted", "elif EXISTENCE not in entry.behind:", "elif True:"),
    ),
    Mutant(
        "parked edits overwrite what came since",
        edit(
            "existence._offer_again",
            "fields.offer(turn, system, name, value, patch.ts_us, patch.seen.get(name, NOT_SHOWN), None)",
            "fields.assign(turn, system, name, value, patch.ts_us)",
        ),
        survives="edits are offered when a record revives, and what came since came from the one who revived it: it takes many thousand histories",
    ),
    Mutant(
        "parked edits are offered with another clock",
        edit("existence._offer_again", "value, patch.ts_us, patch", "value, turn.at_us, patch"),
        theme="approvals",
    ),
    Mutant(
        "parked edits are offered as if their rows showed all",
        edit("existence._offer_again", "patch.seen.get(name, NOT_SHOWN)", "turn.field(name).version"),
        theme="approvals",
    ),
    Mutant(
        "parked edits are offered as if their rows showed nothing",
        edit("existence._offer_again", "patch.seen.get(name, NOT_SHOWN)", "NOT_SHOWN"),
        survives="a causal edit becomes a conflict against a record that was dead: both values are on record, and P11 does not judge edits of the dead",
        theme="approvals",
    ),
    Mutant(
        "parked edits are let go as a whole when one is written over",
        edit("answers._loosen", " and not existence.shown(turn, patch)", ""),
        first=101788,
    ),
    Mutant(
        "a row in the way of a refused create is taken for a new one",
        edit("planning.plan", " and not entry.refused", ""),
        tests="test_existence.py",
        survives="it takes a refused create, a user's own row beside it, and a deletion: histories of applications",
    ),
    Mutant(
        "parked edits that were written over are offered as if shown",
        edit("existence._offer_again", "_let_go(turn, system, name)", "pass"),
        tests="test_existence.py",
        survives="it takes a write that lands on one of several parked edits: many thousand histories",
    ),
    Mutant(
        "parked edits end with a revival",
        edit("existence.revive", "_offer_again(turn, system, patch)", "pass"),
        theme="approvals",
    ),
    Mutant(
        "a loose patch ends with a revival",
        edit("existence.revive", "_loosen_each(turn, item)", "pass"),
        theme="approvals",
        survives="a patch is loose only when our write landed on a row that was turned back while the record was dead: many thousand histories",
    ),
    Mutant(
        "a delete ends a record whatever was not seen",
        edit("existence.deleted", "if missed or EXISTENCE in entry.behind:", "if False:"),
    ),
    Mutant(
        "a delete does not see what others have parked",
        edit(
            "existence.unseen",
            "return found + [(item.field, item.shown()) for item in parked(turn) if not is_delete(item)]",
            "return found",
        ),
        theme="approvals",
        tests="test_existence.py",
        survives="three thousand histories did not meet a deleter who is up to date but for what another has parked",
    ),
    Mutant(
        "a delete that loses is not put on record",
        edit(
            "existence._delete_against_edits",
            "        turn.record(EXISTENCE, winner",
            '        winner == "current" or turn.record(EXISTENCE, winner',
        ),
    ),
    Mutant(
        "a delete that wins names nothing", edit("existence._delete_against_edits", "tuple(missed) or True", "True")
    ),
    Mutant(
        "parked items end unnamed with the record",
        edit(
            "existence.bury",
            'for item in turn.state.loose.values():\n        turn.publish(item, "deleted", "current", "the record was deleted")',
            "pass",
        ),
        theme="approvals",
        survives="the verdict that parked the item names its value already; the item would seem open for ever, which tests/unit/merge looks at",
    ),
    Mutant(
        "a delete leaves what is parked",
        edit("existence.bury", "        entry.dissent.clear()", "        pass"),
        theme="approvals",
        survives="the item is on record as ended; what is left of it is cleared when its row goes",
    ),
    Mutant(
        "a delete leaves its own system's items",
        edit("existence.deleted", "    entry.dissent.clear()\n", "    pass\n"),
        theme="approvals",
        tests="test_decisions.py",
        survives="it takes thousands of histories",
    ),
    Mutant(
        "edits of the dead are lost without a record",
        edit(
            "existence._edit_the_dead",
            'turn.record(EXISTENCE, "current", turn.current(EXISTENCE), edits, "existence")',
            "pass",
        ),
    ),
    Mutant(
        "what a new row lacks counts as shown",
        edit("existence._forget_what_is_absent", "turn.see(system, name, 0)", "turn.see(system, name)"),
        survives="a row lacks a field only when its value is invalid: it then stops at the border, and the plan is the same but for that field",
    ),
    Mutant(
        "a row that came back stays parked as deleted",
        edit("existence.inserted", "withdrawn = entry.dissent.pop(EXISTENCE, None)", "withdrawn = None"),
        theme="approvals",
        tests="test_existence.py",
        survives="it takes thousands of histories",
    ),
    Mutant(
        "a braked delete ends the record",
        edit("existence.deleted", "elif system in turn.rules.braking:", "elif False:"),
        theme="brakes",
    ),
    Mutant(
        "a braked delete is no delete",
        edit(
            "existence.deleted",
            '_park_delete(turn, system, True, ts_us, BRAKE, f"deletes from {system} are held for approval")',
            "pass",
        ),
        theme="brakes",
        tests="test_brake.py",
        survives="the row is made anew from a living record, as a losing delete's would be, but unrecorded: P9 asks for records only of records that died. tests/unit/merge has it",
    ),
    Mutant(
        "parked existence settles by itself",
        edit(
            "settling._settle_held",
            "name != EXISTENCE and name in turn.rules.policies and fields.agrees(turn, system, name, item.candidate)",
            "name == EXISTENCE or fields.agrees(turn, system, name, item.candidate)",
        ),
    ),
    Mutant(
        "new rules leave existence parked",
        edit("resolutions.decide_by_rules", 'if turn.rules.existence == "manual":', "if True:"),
        theme="epochs",
    ),
    Mutant(
        "new rules let a held delete through",
        edit("resolutions._is_braked", "return ", "return False and "),
        theme="epochs",
        tests="test_resolutions.py",
        survives="epochs and brakes do not meet in these worlds; tests/unit/merge has it",
    ),
)
DECISIONS = (
    Mutant(
        "a decision clears every item of its field",
        edit("resolutions.remove", "if entry.dissent.get(item.field) is item:", "if item.field in entry.dissent:"),
        theme="approvals",
    ),
    Mutant(
        "a stale decision is accepted",
        edit(
            "decisions._objection",
            "if event.candidate != item.shown():",
            "return ''\n    if event.candidate != item.shown():",
        ),
        theme="approvals",
    ),
    Mutant(
        "a decision beside another version is accepted",
        edit("decisions._objection", "if event.version != shown_version(turn, item.field):", "if False:"),
        theme="approvals",
    ),
    Mutant(
        "a decision on another candidate is accepted",
        edit("decisions._objection", "if event.candidate != item.shown():", "if False:"),
        theme="approvals",
    ),
    Mutant(
        "a delete is decided while others are parked",
        edit("decisions._objection", "and others:", "and False:"),
        theme="approvals",
    ),
    Mutant(
        "a decision to keep makes a new version",
        edit("decisions.set_value", "if value != turn.field(name).value:", "if True:"),
        theme="approvals",
        tests="test_decisions.py",
        survives="a version more loses nothing",
    ),
    Mutant(
        "a decided item stays", edit("resolutions.remove", "del entry.dissent[item.field]", "pass"), theme="approvals"
    ),
    Mutant(
        "a decision for the dead edits keeps the dead values",
        edit("decisions._decide_existence", "decide_field(turn, item.system, name, value, event.ts_us)", "pass"),
        theme="approvals",
        tests="test_decisions.py",
        survives="rows that show the edits are not told of it, and so go on showing them",
    ),
    Mutant(
        "an amendment overwrites what came since",
        edit("amendments._objection", "if amend.version != now and not revives:", "if False:"),
        theme="amendments",
    ),
    Mutant(
        "a stale amendment is not put on record",
        edit("amendments.amend", "_put_on_record(turn, event, amend, objection)", "pass"),
        theme="amendments",
    ),
    Mutant(
        "a stale value spoils the whole amendment",
        edit(
            "amendments.amend",
            "        elif not _holds(turn, amend):",
            "        elif not any(objections) and not _holds(turn, amend):",
        ),
        theme="amendments",
    ),
)
WORLD = (
    Mutant("columns are compared one by one", fault="column_compare"),
    Mutant("no fence at the sink", fault="no_fence"),
    Mutant("the fence is not kept with the rows", fault="fence_in_memory"),
    Mutant("no echo when nothing was applied", fault="silent_when_nothing"),
    Mutant("a delete is blind", fault="blind_delete"),
    Mutant("a write is blind", fault="blind_write"),
    Mutant("a create writes over the row that is there", fault="blind_create"),
    Mutant("state is written before the outputs", fault="state_first"),
    Mutant("the last state written is read, however old", fault="stale_state"),
    Mutant("a refused write leaves no entry", fault="unfair_failure"),
    Mutant("the trigger does not see what other triggers do", fault="trigger_unseen"),
    Mutant("no conditional write", fault="no_condition", theme="remotes"),
    Mutant("a crash between the write and its result", fault="crash_before_result", theme="remotes"),
    Mutant("looks without a number", fault="unnumbered_looks", theme="remotes"),
)
