# ODinW-35: folders, splits and class names as in the original's configs/odinw_35. AP is
# of valid, or of mini_val where that is what the original evaluates. The original's
# prompts for four sets are used with custom_data.use_caption_prompt=True.
_base_ = './coco_detection.py'

test_cfg = dict(type='TestLoop')


def _set(name, root, classes, split='valid', **more):
    """A set with a folder for each split; names of classes in one string."""
    return dict(
        name=name,
        ann_file=f'{root}/{split}/annotations_without_background.json',
        img=f'{root}/{split}',
        classes=classes.split(', '),
        **more,
    )


def _exported(name, root, classes):
    """A set with all its pictures in one folder."""
    return dict(
        name=name,
        ann_file=f'{root}/val_annotations_without_background.json',
        img=root,
        classes=classes.split(', '),
    )


def _renamed(name, root, classes):
    """A set whose categories have other names in the file."""
    entry = _set(name, root, classes)
    return dict(entry, category_names=entry['classes'])


custom_data = dict(
    data_root='data/odinw/',
    use_caption_prompt=False,
    test=[
        _set(
            'AerialMaritimeDrone_large',
            'AerialMaritimeDrone/large',
            'boat, car, dock, jetski, lift',
        ),
        _set(
            'AerialMaritimeDrone_tiled',
            'AerialMaritimeDrone/tiled',
            'boat, car, dock, jetski, lift',
        ),
        _set(
            'AmericanSignLanguageLetters',
            'AmericanSignLanguageLetters/American Sign Language Letters.v1-v1.coco',
            ', '.join('ABCDEFGHIJKLMNOPQRSTUVWXYZ'),
        ),
        _set(
            'Aquarium',
            'Aquarium/Aquarium Combined.v2-raw-1024.coco',
            'fish, jellyfish, penguin, puffin, shark, starfish, stingray',
            caption_prompt={
                'fish': dict(prefix=' '),
                'penguin': dict(suffix=' , which is black and white'),
                'puffin': dict(suffix=' with orange beaks '),
                'stingray': dict(suffix=' which is flat and round'),
            },
        ),
        _set('BCCD', 'BCCD/BCCD.v3-raw.coco', 'Platelets, RBC, WBC'),
        # Two names end in what is no letter: 'o ' and 't\'.
        _exported(
            'boggleBoards',
            'boggleBoards/416x416AutoOrient/export',
            'Q, a, an, b, c, d, e, er, f, g, h, he, i, in, j, k, l, m, n, o, o , p, q, '
            'qu, r, s, t, t\\, th, u, v, w, wild, x, y, z',
        ),
        _set(
            'brackishUnderwater',
            'brackishUnderwater/960x540',
            'crab, fish, jellyfish, shrimp, small_fish, starfish',
            split='mini_val',
        ),
        # The original has two spaces for the first name, which no prompt can ask for.
        _renamed(
            'ChessPieces',
            'ChessPieces/Chess Pieces.v23-raw.coco',
            'bishop, black bishop, black king, black knight, black pawn, black queen, '
            'black rook, white bishop, white king, white knight, white pawn, '
            'white queen, white rook',
        ),
        _renamed('CottontailRabbits', 'CottontailRabbits', 'rabbit'),
        _exported('dice', 'dice/mediumColor/export', '1, 2, 3, 4, 5, 6'),
        _set(
            'DroneControl',
            'DroneControl/Drone Control.v3-raw.coco',
            'follow, follow_hand, land, land_hand, null, object, takeoff, takeoff-hand',
            split='mini_val',
        ),
        _set(
            'EgoHands_generic',
            'EgoHands/generic',
            'hand',
            split='mini_val',
            caption_prompt={'hand': dict(prefix=' ', suffix=' of a person')},
        ),
        _set(
            'EgoHands_specific',
            'EgoHands/specific',
            'myleft, myright, yourleft, yourright',
            split='mini_val',
        ),
        _set('HardHatWorkers', 'HardHatWorkers/raw', 'head, helmet, person'),
        _set('MaskWearing', 'MaskWearing/raw', 'mask, no-mask'),
        _set('MountainDewCommercial', 'MountainDewCommercial', 'bottle'),
        _renamed(
            'NorthAmericaMushrooms',
            'NorthAmericaMushrooms/North American Mushrooms.v1-416x416.coco',
            'flat mushroom, yellow mushroom',
        ),
        _set(
            'openPoetryVision',
            'openPoetryVision/512x512',
            'American Typewriter, Andale Mono, Apple Chancery, Arial, Avenir, '
            'Baskerville, Big Caslon, Bradley Hand, Brush Script MT, Chalkboard, '
            'Comic Sans MS, Copperplate, Courier, Didot, Futura, Geneva, Georgia, '
            'Gill Sans, Helvetica, Herculanum, Impact, Kefa, Lucida Grande, Luminari, '
            'Marker Felt, Menlo, Monaco, Noteworthy, Optima, PT Sans, PT Serif, '
            'Palatino, Papyrus, Phosphate, Rockwell, SF Pro, SignPainter, Skia, '
            'Snell Roundhand, Tahoma, Times New Roman, Trebuchet MS, Verdana',
            split='mini_val',
        ),
        _set(
            'OxfordPets_by_breed',
            'OxfordPets/by-breed',
            'cat-Abyssinian, cat-Bengal, cat-Birman, cat-Bombay, '
            'cat-British_Shorthair, cat-Egyptian_Mau, cat-Maine_Coon, cat-Persian, '
            'cat-Ragdoll, cat-Russian_Blue, cat-Siamese, cat-Sphynx, '
            'dog-american_bulldog, dog-american_pit_bull_terrier, dog-basset_hound, '
            'dog-beagle, dog-boxer, dog-chihuahua, dog-english_cocker_spaniel, '
            'dog-english_setter, dog-german_shorthaired, dog-great_pyrenees, '
            'dog-havanese, dog-japanese_chin, dog-keeshond, dog-leonberger, '
            'dog-miniature_pinscher, dog-newfoundland, dog-pomeranian, dog-pug, '
            'dog-saint_bernard, dog-samoyed, dog-scottish_terrier, dog-shiba_inu, '
            'dog-staffordshire_bull_terrier, dog-wheaten_terrier, '
            'dog-yorkshire_terrier',
            split='mini_val',
        ),
        _set(
            'OxfordPets_by_species',
            'OxfordPets/by-species',
            'cat, dog',
            split='mini_val',
        ),
        _set('PKLot', 'PKLot/640', 'space-empty, space-occupied', split='mini_val'),
        _set(
            'Packages',
            'Packages/Raw',
            'package',
            caption_prompt={
                'package': dict(prefix='there is a ', suffix=' on the porch')
            },
        ),
        _set(
            'PascalVOC',
            'PascalVOC',
            'aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, '
            'diningtable, dog, horse, motorbike, person, pottedplant, sheep, sofa, '
            'train, tvmonitor',
        ),
        _exported('pistols', 'pistols/export', 'pistol'),
        _set(
            'plantdoc',
            'plantdoc/416x416',
            'Apple Scab Leaf, Apple leaf, Apple rust leaf, Bell_pepper leaf, '
            'Bell_pepper leaf spot, Blueberry leaf, Cherry leaf, Corn Gray leaf spot, '
            'Corn leaf blight, Corn rust leaf, Peach leaf, Potato leaf, '
            'Potato leaf early blight, Potato leaf late blight, Raspberry leaf, '
            'Soyabean leaf, Soybean leaf, Squash Powdery mildew leaf, Strawberry leaf, '
            'Tomato Early blight leaf, Tomato Septoria leaf spot, Tomato leaf, '
            'Tomato leaf bacterial spot, Tomato leaf late blight, '
            'Tomato leaf mosaic virus, Tomato leaf yellow virus, Tomato mold leaf, '
            'Tomato two spotted spider mites leaf, grape leaf, grape leaf black rot',
        ),
        _set(
            'pothole',
            'pothole',
            'pothole',
            caption_prompt={
                'pothole': dict(
                    prefix='there are some ', name='holes', suffix=' on the road'
                )
            },
        ),
        _set('Raccoon', 'Raccoon/Raccoon.v2-raw.coco', 'raccoon'),
        _exported(
            'selfdrivingCar',
            'selfdrivingCar/fixedLarge/export',
            'biker, car, pedestrian, trafficLight, trafficLight-Green, '
            'trafficLight-GreenLeft, trafficLight-Red, trafficLight-RedLeft, '
            'trafficLight-Yellow, trafficLight-YellowLeft, truck',
        ),
        _set('ShellfishOpenImages', 'ShellfishOpenImages/raw', 'Crab, Lobster, Shrimp'),
        _set('ThermalCheetah', 'ThermalCheetah', 'cheetah, human'),
        _set('thermalDogsAndPeople', 'thermalDogsAndPeople', 'dog, person'),
        _set(
            'UnoCards',
            'UnoCards/raw',
            '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14',
            split='mini_val',
        ),
        _set(
            'VehiclesOpenImages',
            'VehiclesOpenImages/416x416',
            'Ambulance, Bus, Car, Motorcycle, Truck',
            split='mini_val',
        ),
        _set('WildfireSmoke', 'WildfireSmoke', 'smoke'),
        _set(
            'websiteScreenshots',
            'websiteScreenshots',
            'button, field, heading, iframe, image, label, link, text',
            split='mini_val',
        ),
    ],
)
