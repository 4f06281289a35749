"""Starts, teachers and labels that a model makes for itself or takes from others."""
