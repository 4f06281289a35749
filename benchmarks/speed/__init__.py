"""GLIP against mmdet's: same weights, pictures and prompts, in one process."""
