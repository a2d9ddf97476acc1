"""What every room may use: clock, time zones, one-line logs, child processes, intervals, colours.

Imports nothing of ours.
"""
