"""The mutations that are run by hand and nightly can still be applied."""

import mutations


def test_each_text_to_be_changed_is_in_the_package_once():
    texts = [
        path.read_text(encoding='utf-8')
        for path in (mutations.ROOT / 'glip').rglob('*.py')
    ]
    counts = {
        mutation.name: sum(text.count(mutation.old) for text in texts)
        for mutation in mutations.MUTATIONS
    }
    assert counts == dict.fromkeys(counts, 1)
