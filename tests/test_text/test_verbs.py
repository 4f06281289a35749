import pytest

from glip.text import chunker, verbs
from glip.text.verbs import RULES, Spot, deciding_rule


def spot_in(example, monkeypatch) -> Spot:
    """The word between stars as the chunker sees it."""
    spots = []

    def noted(spot):
        spots.append(spot)
        return verbs.is_verb(spot)

    monkeypatch.setattr(chunker, 'is_verb', noted)
    chunker.rule_noun_phrases(example.replace('*', ''))
    (spot,) = (spot for spot in spots if spot.word == example.split('*')[1])
    return spot


@pytest.mark.parametrize('rule', RULES, ids=[rule.name for rule in RULES])
def test_a_rule_decides_on_its_examples(rule, monkeypatch):
    for example, is_verb in ((rule.verb, True), (rule.other, False)):
        if example:
            spot = spot_in(example, monkeypatch)
            assert deciding_rule(spot) is rule
            assert rule.is_verb(spot) == verbs.is_verb(spot) == is_verb


def test_what_no_rule_knows_is_no_verb():
    spot = Spot('oak', before='big', after='tree', phrase=('a', 'dog'), nouns=1)
    assert deciding_rule(spot) is None
    assert not verbs.is_verb(spot)
