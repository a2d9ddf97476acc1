"""The composition root: the only package that picks concrete parts; an import rule keeps it so.

`mien doctor` is the exception: it opens each part only to check it.

models     the face detector and the face classifier, for these and for commands that need a model alone
parts      what both ways of running have in common: database, cameras, supervisor, analysers, workers
embedded   all parts in one process, with the bus in memory
scaled     the same parts in many processes, with Kafka between cameras and workers
"""
