"""The bus on Kafka, for many machines: the same contract as the embedded bus.

settings         one URL: brokers, topic, group, login
client           opens clients of kafka-python; its internals that are used, and why
topics           creates and configures the two topics; retention: how long pictures lie on disks
writer           `KafkaWriter`; outbox: its bounded buffers
reader           `KafkaReader`; assignment: its partitions and where they resume; rebalances: the group's
                 events; partition_state: positions and waiting records of one partition
broker_clock     this machine's clock compared with the brokers'
dead_letters     the dead-letter queue
"""
