"""Values and rows as the merge sees them.

A value is what JSON can hold, with tuples for lists, so that it can be compared, stored and shown without knowing
its type. Exact decimals travel as plain decimal text without trailing zeros, times as ISO text in UTC: a mapping
sees to it that equal values are equal here. A row holds the mapped columns of one local row, each normalised by
its column's type; `None` in place of a row says that there is none.
"""

from collections.abc import Mapping

Value = str | int | float | bool | None | tuple["Value", ...]
Row = Mapping[str, Value]
Values = Mapping[str, Value]
EXISTENCE = "$"
