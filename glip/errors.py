"""Errors a user can cause and mend; each carries one line that says how."""

_LONGEST = 2000  # characters of a message; more of a bad value helps nobody


class GLIPError(ValueError):
    """Base of every error that bad input to glip raises.

    Args:
        message: Becomes one line, shortened in the middle where it has no end.
    """

    def __init__(self, message: object = '') -> None:
        super().__init__(_shortened(' '.join(str(message).split())))


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


def _shortened(line: str) -> str:
    if len(line) <= _LONGEST:
        return line
    half = _LONGEST // 2
    return f'{line[:half]} ... {line[-half:]}'


def one_line(error: BaseException) -> str:
    """The message alone, also of an error that came out of a loading process.

    There torch puts the whole traceback into the message; its last line says what the
    error said.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if not lines[0].startswith('Caught '):
        return ' '.join(lines)
    _, mark, message = lines[-1].partition('Error: ')
    return message if mark else lines[-1]


def reason_of(error: BaseException) -> str:
    """What is wrong by the words of the system or a library, in one line."""
    text = getattr(error, 'strerror', None) or str(error) or type(error).__name__
    return ' '.join(str(text).split())
