"""Who uses Mien, and what they may do: functions that read or write for a person get an `Actor`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AccessDenied(PermissionError):
    """The actor may not do this; the message names the action and the role that may do it."""


class Role(StrEnum):
    """An analyst reads the figures of some sites; an operator reads all and changes all."""

    ANALYST = "analyst"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, as signed in.

    `sites`: the sites whose figures an analyst may read, None for all. Operators read all sites.
    """

    name: str
    role: Role
    sites: frozenset[str] | None = None

    def require_operator(self, action: str) -> None:
        """Raise AccessDenied unless the actor is an operator; `action` completes "may not ..."."""
        if self.role is not Role.OPERATOR:
            raise AccessDenied(f"{self.name} is an {self.role} and may not {action}; ask an operator")

    @property
    def reads_all_sites(self) -> bool:
        """Whether the actor may read the figures of every site."""
        return self.role is Role.OPERATOR or self.sites is None

    def may_read_site(self, site: str) -> bool:
        """Whether the actor may read the figures of a site."""
        return self.reads_all_sites or site in (self.sites or ())


LOCAL = Actor("local", Role.OPERATOR)
"""Whoever uses the command line, or a dashboard on the loopback address without sign-in."""
