"""Benchmarks: throughput, latency, capacity and memory, measured on the present machine."""
