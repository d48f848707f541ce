"""Mistakes in the two cases that are merged by what changed alone."""

from tests.simulation.mutants.planting import Mutant, edit

UNCONTENDED = (
    Mutant("an uncontended edit on a row that is behind", edit("uncontended._edited", "name in entry.behind or ", "")),
    Mutant(
        "an uncontended edit of a field that its policy has a say in",
        edit("uncontended._edited", "name not in turn.rules.followed or ", ""),
    ),
    Mutant(
        "an uncontended edit of a field that is parked",
        edit("uncontended._edited", "entry.dissent and not", "False and not"),
        tests="test_uncontended.py",
        survives="a row with a parked value does not show the hub's, so that its field is behind as well",
    ),
    Mutant(
        "what waits is not looked at after an uncontended event",
        edit("uncontended._proceed", "settling.settle(turn)", "turn.state.flips and oscillation.forget_past(turn)"),
    ),
    Mutant(
        "what waits is settled after an uncontended event, and is never due",
        edit("uncontended._proceed", "settling.settle(turn)", "settling.agree(turn)"),
        theme="deadlines",
    ),
    Mutant(
        "a system that has something parked is told nothing after an uncontended event",
        edit("uncontended._is_parked", " and entry.behind.keys() <= entry.dissent.keys()", ""),
    ),
    Mutant(
        "an echo over what is parked is taken for a clean one",
        edit("uncontended._echoed", "entry.dissent and _is_over_parked(sent, entry)", "False"),
    ),
    Mutant(
        "an edit forgets what others have seen",
        edit("fields.assign", "entry.behind.setdefault(name, field.version)", "entry.behind[name] = field.version"),
        survives="what a row showed is only compared with the hub's version, and either is older than that",
    ),
    Mutant(
        "rewriting is not counted where it is uncontended",
        edit("uncontended._edited", "oscillation.rewritten(turn, event.system, name, value)", "pass"),
    ),
    Mutant(
        "an uncontended repeat is merged again",
        edit("uncontended.merged", "event.position <= entry.position", "False"),
    ),
    Mutant(
        "any echo is taken for the one of the command that is out",
        edit("uncontended._echoed", 'str(sent.number) != event.command.rpartition("/")[2] or ', ""),
        tests="test_uncontended.py",
        survives="another command's echo would have to leave the very row that the one which is out was to leave",
    ),
    Mutant(
        "an echo with another's edit is taken for a clean one",
        edit("uncontended._is_carried_out", "return wanted == after", "return True"),
    ),
    Mutant(
        "an echo from a row that was not expected is taken for a clean one",
        edit("uncontended._is_carried_out", "column not in before or before[column] != value", "False"),
        tests="test_uncontended.py",
        survives="its versions are the hub's by then, unless yet another edit came between",
    ),
    Mutant(
        "a clean echo shows the hub's version, whichever it brought",
        edit("uncontended._echoed", "behind[name] = version", "behind.pop(name, None)"),
    ),
)
