"""Scope of the registries as in a run."""

from registry_scope import scope  # noqa: F401  (a fixture of every test here)
