"""The bus on Kafka, for many machines: the same contract as the embedded one.

settings       one URL: where the brokers are, which topic and group, who we are
client         opening a client of kafka-python, or one line that says why not
topics         the two topics, made and kept in order
writer         `KafkaWriter`; outbox: its bounded buffers
reader         `KafkaReader`; assignment: which partitions, from where; rebalances: what the group does;
               lanes: how far each partition is
dead_letters   where records go that can never be processed
"""
