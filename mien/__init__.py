"""Settings, wiring and commands: where the parts become one program."""
