"""What this machine does: measured, never estimated."""
