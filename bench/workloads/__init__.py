"""The workloads of bench/run. Each registers itself by its name, in the order of these imports."""
from workloads import adding, queries, reports, searches, serving, accuracy  # noqa: F401
