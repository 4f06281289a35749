"""Forms of the operations that are fast on processors."""
