"""What a tutorial on Channels and Celery builds: the construction to compare with.

A consumer enqueues a Celery task, the task queries the model over HTTP and sends the answer to the
consumer's group. Nothing is guaranteed: a reload, a restart or a full queue loses messages.

The same consumer is the *bare path* with `bare.answer`: the same hops as fast as these libraries do
them, without storing anything.
"""
