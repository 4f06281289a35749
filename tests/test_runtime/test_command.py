"""The head of commands."""

import pytest

from glip.errors import ConfigError
from glip.runtime.command import command


def arguments(parser):
    parser.add_argument('number', type=int)


def run(action, *argv, **options):
    """Exit code of a command that does ``action``."""
    return command(arguments, **options)(action)(list(argv))


def fail_with(error):
    def action(args):
        raise error

    return action


def test_the_result_is_the_exit_code(capsys):
    assert run(lambda args: args.number, '3') == 3
    assert run(lambda args: None, '3') == 0
    assert capsys.readouterr() == ('', '')


def test_the_command_line_of_the_process_is_the_default(monkeypatch):
    monkeypatch.setattr('sys.argv', ['tool', '5'])
    assert command(arguments)(lambda args: args.number)() == 5


def test_words_are_changed_before_they_are_read():
    assert run(lambda args: args.number, 'x3', prepare=lambda w: [w[0][1:]]) == 3


def test_help_shows_the_lines_of_the_description(capsys):
    with pytest.raises(SystemExit) as stopped:
        command(arguments, 'First line.\n\n    an example\n')(print)(['--help'])
    assert stopped.value.code == 0
    assert 'First line.\n\n    an example\n' in capsys.readouterr().out


def test_an_error_of_the_user_is_one_line(capsys):
    error = ConfigError('the file\nis not there')
    assert run(fail_with(error), '3') == 1
    assert capsys.readouterr() == ('', 'error: the file is not there\n')


def test_an_error_of_the_program_passes():
    with pytest.raises(KeyError):
        run(fail_with(KeyError('x')), '3')


def test_a_stop_is_told_in_the_words_of_the_command(capsys):
    action = fail_with(KeyboardInterrupt())
    assert run(action, '3', stopped='half is kept') == 130
    assert capsys.readouterr().err.strip() == 'half is kept'
    assert run(action, '3') == 130
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_wrong_command_line_is_explained(capsys):
    with pytest.raises(SystemExit) as end:
        run(lambda args: 0, 'three')
    assert end.value.code == 2
    assert 'usage' in capsys.readouterr().err
