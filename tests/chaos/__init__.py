"""Faults brought about on purpose, and an oracle that counts afterwards.

Real processes around a real broker and a real PostgreSQL; only the cameras are simulated.

ground       broker, server, and a stage for each scenario: topic, database, settings
cameras      what is filmed and published, and what became of it
crew         `mien work` processes, to be killed
log          what truly lies in Kafka, read by a plain consumer
oracle       every acknowledged frame counted once, nothing invented, every drop counted
visits       which of the undisturbed run's visits a fault split
poison       records that can never be processed
scenarios    the faults
report       docs/reliability.md
"""
