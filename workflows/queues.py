"""Names of the task queues, by kind of work."""

IO = "io"
CPU = "cpu"
ALL = (IO, CPU)
