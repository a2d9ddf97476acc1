"""Alerts: rules are judged by one process, and what they find is sent to a webhook and to MQTT.

conditions  what each rule finds now: a verdict for each camera or site
judge       states over time: what is reported, grouped and no more often than the cool-down allows
messages    the text and the JSON of a message
receivers   the configured receivers, and what they have in common: address, deadline, outcome
webhook     HTTP POST, signed
mqtt        MQTT 3.1.1, quality of service 1
loop        the thread that does all of this while the process holds the lease of the task
"""
