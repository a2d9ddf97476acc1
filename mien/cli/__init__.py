"""The command `mien`: one thin file per command or group of commands."""
