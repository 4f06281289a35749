# ODinW-13, the sets of the paper: names and splits of the original's configs/odinw_13,
# which have no prompts; custom_data.use_caption_prompt=True asks for the classes in the
# words of its configs/odinw_35.
_base_ = './odinw35.py'


def _of_35(known, **changes):
    """A set of ODinW-35, perhaps under another name or with other class names."""
    return dict(next(e for e in _base_.custom_data.test if e.name == known), **changes)


custom_data = dict(
    test=[
        _of_35('AerialMaritimeDrone_large', name='AerialMaritimeDrone'),
        _of_35('Aquarium'),
        _of_35(
            'CottontailRabbits',
            classes=['Cottontail-Rabbit'],
            category_names=['Cottontail-Rabbit'],
            caption_prompt={'Cottontail-Rabbit': dict(name='rabbit')},
        ),
        _of_35('EgoHands_generic', name='EgoHands'),
        _of_35(
            'NorthAmericaMushrooms',
            classes=['CoW', 'chanterelle'],
            category_names=['CoW', 'chanterelle'],
            caption_prompt={
                'CoW': dict(name='flat mushroom'),
                'chanterelle': dict(name='yellow mushroom'),
            },
        ),
        _of_35('Packages'),
        _of_35('PascalVOC'),
        _of_35('pistols'),
        _of_35('pothole'),
        _of_35('Raccoon'),
        _of_35('ShellfishOpenImages'),
        _of_35('thermalDogsAndPeople'),
        _of_35('VehiclesOpenImages'),
    ]
)
