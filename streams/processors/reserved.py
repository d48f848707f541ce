"""Keys of the merge's store that hold no record: they begin with a byte that no record id begins with.

loads           which systems' initial loads have passed, and where each ended          `loads`
epoch           the number of the rules that hold; 0 or absent: those of the start      `regimes`
epochs/<n>      an epoch: where it began, and its rules as text                         `regimes`
brake/<system>  deletes within the window, the allowance, and where the brake held      `brake`
rows/<system>   how many rows the system has in this partition                          `brake`
open/<record>   how many items of a record wait for a person                            `dues`
due/<record>    when the first of them is due (µs)                                      `dues`
dead/<record>   since when there is nothing left of a record but its tombstone (µs)     `dues`
trail/<record>/<n>  offsets of a record's earlier events                                `trails`
"""

from streams.processors.changelogs import MARK_KEY

MARK = MARK_KEY[:1]
LOADS = MARK + b"loads"
EPOCH = MARK + b"epoch"
EPOCHS = MARK + b"epochs/"
BRAKE = MARK + b"brake/"
ROWS = MARK + b"rows/"
OPEN = MARK + b"open/"
DUE = MARK + b"due/"
DEAD = MARK + b"dead/"
TRAIL = MARK + b"trail/"
