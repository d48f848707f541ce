"""What goes wrong between a declaration and what an application does."""

from dataclasses import dataclass

from connectors.errors import ConnectorsError


@dataclass(eq=False)
class TemplateError(ConnectorsError):
    """An expression of the declaration that gives no value here. `where` is the setting, `reason` one sentence."""

    where: str
    expression: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {{{{ {self.expression} }}}}: {self.reason}"


@dataclass(eq=False)
class UnfitAnswerError(ConnectorsError):
    """An answer that is not what the declaration says. `setting` is the key to look at; nothing was read from it."""

    setting: str
    reason: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.setting})"
