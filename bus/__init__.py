"""The contract between cameras, workers and storage, and the transports that implement it."""
