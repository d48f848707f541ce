"""The error of the program: everything a person must read to mend what went wrong."""

from dataclasses import dataclass


@dataclass(eq=False)
class DuplexError(Exception):
    """Base of every error that `duplex` raises: `what` failed, `where`, `why`, and the `remedy` to try.

    `what`, `where` and `why` are phrases without a full stop; `remedy` is one or more sentences.
    """

    what: str
    where: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what} ({self.where}): {self.why}. {self.remedy}"
