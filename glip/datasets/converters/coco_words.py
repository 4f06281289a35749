"""Words by which captions call the classes of COCO."""

from __future__ import annotations

from glip.text.plurals import is_its_own_plural, plural

# Beside the name of a class; the last word of a longer name ('table') is here as well.
_SYNONYMS = {
    'person': 'man|woman|boy|girl|child|kid|guy|lady|gentleman|baby|toddler|player|'
    'batter|pitcher|catcher|skier|snowboarder|surfer|skateboarder|skater|rider|'
    'cyclist|biker|worker|chef|cook|officer|policeman',
    'bicycle': 'bike',
    'car': 'automobile|sedan|taxi|cab|suv',
    'motorcycle': 'motorbike|scooter|moped',
    'airplane': 'plane|jet|aircraft|airliner',
    'train': 'locomotive',
    'truck': 'pickup',
    'boat': 'ship|canoe|kayak|sailboat|ferry',
    'traffic light': 'stoplight',
    'fire hydrant': 'hydrant',
    'bird': 'seagull|pigeon|duck|goose|parrot|owl',
    'cat': 'kitten',
    'dog': 'puppy',
    'horse': 'pony|foal',
    'sheep': 'lamb',
    'cow': 'bull|calf|cattle',
    'handbag': 'purse',
    'tie': 'necktie',
    'suitcase': 'luggage',
    'sports ball': 'ball',
    'baseball bat': 'bat',
    'baseball glove': 'glove|mitt',
    'tennis racket': 'racket|racquet',
    'cup': 'mug',
    'wine glass': 'wineglass',
    'donut': 'doughnut',
    'couch': 'sofa',
    'potted plant': 'plant',
    'dining table': 'table',
    'tv': 'television|monitor',
    'cell phone': 'phone|cellphone|smartphone',
    'refrigerator': 'fridge',
    'teddy bear': 'teddy|stuffed bear|stuffed animal',
    'hair drier': 'dryer|hair dryer',
    'laptop': 'laptop computer',
}


def class_words(names: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Nouns that stand for one thing of a class, and for several.

    Args:
        names: Class names.

    Returns:
        Singular -> class and plural -> class, in lower case; words that are both are
        in both. A word that would stand for two classes stands for the one of its
        name.
    """
    one: dict[str, str] = {}
    for name in names:
        for word in _SYNONYMS.get(name, '').split('|'):
            if not word:
                continue
            one.setdefault(word, name)
    one |= {name.lower(): name for name in names}
    many = {plural(word): name for word, name in one.items()}
    many |= {word: name for word, name in one.items() if is_its_own_plural(word)}
    return one, many
