"""Chaos tests: faults that are injected on purpose, and an oracle that counts the frames afterwards.

Real processes around a real Kafka broker and a real PostgreSQL server; only the cameras are simulated.

environment  broker and database server, and one deployment per scenario: topic, database, settings
cameras      what the cameras capture and publish, and what became of each frame
workers      `mien work` processes that a scenario kills
captures     `mien ingest` processes that a scenario kills or suspends
topic        what Kafka really holds, read by a plain consumer
oracle       every acknowledged frame is counted once, nothing is invented, every drop is counted
visits       which visits of the undisturbed run a fault split
poison       records that can never be processed
scenarios    the faults
report       docs/reliability.md
"""
