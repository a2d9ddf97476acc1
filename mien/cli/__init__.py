"""The command `mien`: a file for each command or group, which parses options and prints results."""
