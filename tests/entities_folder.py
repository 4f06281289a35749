"""Draw a folder of Flickr30k Entities: sentences with marked phrases, boxes in XML."""

import random
from pathlib import Path

import grounding_files

KINDS = {
    'people': ('A man', 'two young women', 'the players'),
    'animals': ('a brown dog', 'some birds'),
    'clothing/other': ('a red hat', 'green shirts'),
    'scene': ('the yard', 'a wooden floor'),
    'vehicles': ("the driver 's car", 'many boats'),
}
SIZE = (200, 150)


def write(root: Path, *, pictures: int = 8, seed: int = 0) -> Path:
    """Write ``Sentences/``, ``Annotations/``, ``images/`` and the list ``test.txt``.

    Phrases of a chain may have no box, one or several, and a box several chains. The
    first two pictures lack their boxes.

    Returns:
        The folder.
    """
    rng = random.Random(seed)
    for name in ('Sentences', 'Annotations', 'images'):
        (root / name).mkdir(parents=True)
    ids = [str(number) for number in rng.sample(range(10_000), pictures)]
    (root / 'test.txt').write_text('\n'.join(ids) + '\n')
    for place, image in enumerate(ids):
        numbers = rng.sample(range(1, 10_000), rng.randint(3, 6))
        chains = {number: rng.choice(list(KINDS)) for number in numbers}
        lines = [_sentence(rng, chains) for _ in range(5)]
        (root / f'Sentences/{image}.txt').write_text('\n'.join(lines) + '\n')
        grounding_files.picture(root / f'images/{image}.jpg', SIZE)
        if place >= 2:
            xml = _xml(rng, image, list(chains))
            (root / f'Annotations/{image}.xml').write_text(xml)
    return root


def _sentence(rng: random.Random, chains: dict[int, str]) -> str:
    parts = []
    for chain in rng.sample(list(chains), rng.randint(1, len(chains))):
        kind = chains[chain]
        parts.append(f'[/EN#{chain}/{kind} {rng.choice(KINDS[kind])}]')
        parts.append(rng.choice(('next to', 'and', 'with', ', near')))
    if rng.random() < 0.3:
        parts.append('[/EN#0/notvisual it]')
    return ' '.join([*parts, 'the end .'])


def _xml(rng: random.Random, image: str, chains: list[int]) -> str:
    width, height = SIZE
    objects = []
    for chain in chains:
        for _ in range(rng.choice((0, 1, 1, 2, 3))):
            x, y = rng.randint(1, 120), rng.randint(1, 90)
            corners = (x, y, x + rng.randint(5, 70), y + rng.randint(5, 50))
            names = [chain, *rng.sample(chains, int(rng.random() < 0.2))]
            objects.append(
                ''.join(f'<name>{name}</name>' for name in dict.fromkeys(names))
                + '<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>'
                '</bndbox>'.format(*corners)
            )
    objects.append(f'<name>{chains[0]}</name><scene>1</scene><nobndbox>0</nobndbox>')
    return (
        f'<annotation><filename>{image}.jpg</filename><size><width>{width}</width>'
        f'<height>{height}</height><depth>3</depth></size>'
        + ''.join(f'<object>{one}</object>' for one in objects)
        + '</annotation>'
    )
