"""Errors that keep a command from starting.

MienError
├── SettingsError     a setting, or the file that it is read from, cannot be used
├── StartError        the program cannot start: a port is in use, a child process ends at once
└── MissingExtra      the command needs an optional part of the installation
"""


class MienError(Exception):
    """Root of every error that this package raises on purpose; the message is one line."""


class SettingsError(MienError):
    """A setting cannot be used; names where it comes from, its value and what was expected."""


class StartError(MienError):
    """The program cannot start; names the obstacle and the fix."""


class MissingExtra(MienError):
    """A package of an optional extra is not installed; names it and how to install it."""
