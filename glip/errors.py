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


class TrainingError(GLIPError):
    """Training cannot go on: the loss is no number, or the memory does not suffice."""


def one_line(error: BaseException) -> str:
    """The message alone, also of an error that came out of a loading process.

    There torch puts the whole traceback into the message; its last line says what the
    error said.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if not lines[0].startswith('Caught '):
        return ' '.join(lines)
    _, found, message = lines[-1].partition('Error: ')
    return message if found else lines[-1]
