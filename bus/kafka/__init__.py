"""The bus on Kafka, for many machines: the same contract as the embedded one."""
