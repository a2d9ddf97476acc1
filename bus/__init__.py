"""The contract between processes, and the transports that keep it."""
