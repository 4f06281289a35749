import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / 'docs' / 'prompts.md'


def test_examples_of_the_docs(monkeypatch):
    if not DOCS.is_file():
        pytest.skip('docs/ is not beside the tests')
    # Imported first because it prints at its first import.
    pytest.importorskip('mmdet.evaluation')
    monkeypatch.setenv('GLIP_NOUN_PHRASES', 'builtin')
    blocks = re.findall(r'```pycon\n(.*?)```', DOCS.read_text(), flags=re.DOTALL)
    assert len(blocks) >= 5
    test = doctest.DocTestParser().get_doctest(
        '\n'.join(blocks), {}, DOCS.name, None, None
    )
    runner = doctest.DocTestRunner()
    runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
