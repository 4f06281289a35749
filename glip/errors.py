"""Errors a user can cause and mend; each carries one line that says how."""


class GLIPError(ValueError):
    """Base of every error that bad input to glip raises."""


class PromptError(GLIPError):
    """The words are empty, malformed or longer than the token budget."""


class CheckpointError(GLIPError):
    """A weight file is damaged, unsafe, of another model or of another size."""


class ConfigError(GLIPError):
    """A config or a zoo name does not exist or cannot be used."""


class ImageError(GLIPError):
    """A picture is missing, unreadable or not a picture."""


class DatasetError(GLIPError):
    """An annotation file or its pictures contradict the config or each other."""
