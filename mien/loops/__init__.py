"""The three run loops, one for each command that runs until it is stopped.

run      `mien run`, `mien demo`: captures, workers, upkeep and dashboard on this machine
ingest   `mien ingest`: captures that publish to Kafka
work     `mien work`: workers that read from Kafka
process  signals, health server and database, which the last two have in common
"""
