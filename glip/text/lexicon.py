"""Word lists of the built-in noun phrase chunker (captions of pictures, English)."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DETERMINERS = _words(
    'a an the this that these those my your his her its our their some any each '
    'every either neither another both all no several many few various numerous '
    'most more enough such what whose one two three four five six seven eight nine '
    'ten eleven twelve dozen dozens hundred hundreds lots half multiple single '
    'other'
)

# Words that stand beside a noun without being a thing themselves.
ADJECTIVES = _words(
    'red green blue yellow orange black white gray grey brown purple pink violet '
    'beige golden silver tan teal turquoise maroon navy crimson dark light bright '
    'pale colorful colourful big small large little tiny huge giant tall short long '
    'wide narrow thin thick fat slim heavy old young new ancient modern vintage '
    'antique hot cold warm cool wet dry dirty clean empty full open closed broken '
    'rusty shiny round square rectangular oval flat sharp curly straight striped '
    'spotted plaid furry fluffy hairy bald fresh ripe raw cooked fried baked '
    'grilled sliced whole busy crowded quiet happy sad angry smiling cute beautiful '
    'pretty lovely nice good bad great fancy elegant wooden plastic metallic '
    'electric male female adult stuffed snowy sunny rainy cloudy grassy rocky sandy '
    'muddy leafy concrete urban rural indoor outdoor upper lower bottom left right '
    'front back rear middle central first second third last next same different '
    'similar many few top main asian african american european chinese japanese '
    'indian elderly wild domestic soft hard high low deep shallow near far asleep '
    'awake alone alive ready able visible topless barefoot naked upright close'
)

# Words that end a phrase and belong to none.
FUNCTION_WORDS = _words(
    'about above across after against along alongside amid amidst among amongst '
    'around as at atop away before behind below beneath beside besides between '
    'beyond but by despite down during except for from in inside into like near '
    'nearby of off on onto opposite out outside over past per through throughout to '
    'toward towards under underneath until up upon via with within without and or '
    'nor so yet if then than because while when where whereas though although since '
    'unless whether i you he she it we they me him us them himself herself itself '
    'themselves who whom which there here someone somebody something anyone '
    'anything everyone everything nobody nothing none not very too also just only '
    'even still already again together apart ahead aside forward backward upward '
    'downward overhead how why now today quite rather almost maybe perhaps please '
    'vs etc'
)

AUXILIARIES = _words(
    "is are was were be been being am isn't aren't wasn't weren't has have had "
    "having do does did doing done don't doesn't didn't can could will would shall "
    "should may might must can't won't"
)
MODALS = _words(
    "can could will would shall should may might must can't won't do does did don't "
    "doesn't didn't"
)

# Verbs of captions: base forms, the regular forms are made from them.
BASE_VERBS = _words(
    'appear approach ask attach bark become begin bite blow break bring browse '
    'build buy carry catch celebrate chase chew climb compete contain cover crawl '
    'create cross cuddle decorate depict deliver dig dine display do drag draw eat '
    'enjoy enter examine face feed fill find float follow gather gaze get give go '
    'grab graze grow hang has have hide hit hold hug hurry include jump keep kick '
    'kiss kneel lay lead lean leap leave lick lie lift listen look make march move '
    'observe operate overlook perch perform pet play point pose prepare protect '
    'pull push put reach read receive relax remove rest ride run say see seem sell '
    'serve shine sing sip sit skate sleep smile sniff speak splash spread stand '
    'stare stay step stir stretch strike surround swim swing take talk teach throw '
    'toss touch travel try tie turn use visit wade wait walk wash watch wave wear '
    'work write yawn fly drive fight lounge nap roam stop show come drink cook '
    'paint bend bounce'
)
PAST_VERBS = _words(
    'ate began bit bitten blew blown broke brought built bought caught chose came '
    'cut dug drew drawn drank drove driven fell felt fed found flew flown fought '
    'gave given got gone went grew grown hung hid hidden held kept knelt laid lain '
    'led left lay made put ran rode ridden said sat saw seen sold sang sent shone '
    'shown slept spoke spoken stood stuck swam swung struck took taken taught threw '
    'thrown tied told wore worn woke written wrote'
)


def _third_person(verb: str) -> str:
    if verb.endswith(('s', 'x', 'z', 'ch', 'sh', 'o')):
        return verb + 'es'
    if verb.endswith('y') and verb[-2] not in 'aeiou':
        return verb[:-1] + 'ies'
    return verb + 's'


THIRD_PERSON = frozenset(_third_person(verb) for verb in BASE_VERBS)

# Of these, the ones that are never things: 'some bread and tea sit on the table'.
PURE_VERBS = _words(
    'appear become begin bring build buy carry chew climb contain decorate depict '
    'deliver draw eat enjoy enter examine find gather get give go graze grow have hide '
    'include keep kneel lean listen make observe operate perform prepare protect put '
    'receive relax remove say see seem sell sing sit speak surround swim take teach '
    'throw wade wait wear write'
)
# Requests with which a text may begin.
REQUESTS = _words('find detect locate show count search identify segment mark ground')
INTENSIFIERS = _words('very quite rather too so extremely really')

# What a bus stops at and what a bus does: at the end of a text they are things.
NOUNS_LIKE_VERBS = _words(
    'stops watches drinks rolls cuts lifts shows plays jumps waves brushes swings '
    'catches flies stands turns holds looks points touches rests ties walks rides '
    'faces pets covers pulls prints paints steps hugs kisses marks paddles serves '
    'tosses throws washes strikes leads feeds cooks flights blows seals reads runs'
)
# They stand before one thing, so what follows in -s after it is a verb.
SINGULAR_DETERMINERS = _words('a an this that one each every another')

PLURALS = _words('people children men women police kids cattle sheep geese')

# Things whose names end as participles do.
ING_NOUNS = _words(
    'building ceiling painting ring king string wing swing clothing railing awning '
    'earring pudding wedding crossing icing frosting lightning evening morning '
    'spring thing bearing sibling duckling dumpling dressing stocking drawing '
    'covering filling lettering marking lining siding flooring seedling herring '
    'starling racing bowling plumbing bunting carving engraving sling ceilings '
    'topping housing scaffolding wiring tubing bedding'
)
ED_NOUNS = _words(
    'bed shed sled weed seed reed speed breed tweed bobsled seaweed moped daybed '
    'steed flatbed waterbed hundred red feed naked wicked sacred biped'
)
LY_NOUNS = _words(
    'fly butterfly dragonfly family lily belly jelly assembly ally bully trolley '
    'firefly italy grizzly ugly curly silly holy woolly smelly early lovely elderly '
    'lonely friendly daily bubbly prickly'
)
# Participle and noun that make one thing: 'washing machine'.
ING_COMPOUNDS = _words(
    'dining living parking washing sewing sleeping fishing cutting ironing shopping '
    'boxing rolling frying swimming baking racing running walking wedding drinking '
    'mixing serving changing waiting rocking hiking climbing riding skating writing '
    'drawing cooking sailing welding bathing landing knitting'
)
COMPOUND_HEADS = _words(
    'table tables room rooms hall area meter meters lot lots space garage machine '
    'machines bag bags rod rods boat boats pole board boards cart carts basket mall '
    'glove gloves ring pin pins pan pans pool pools suit trunks sheet tray car cars '
    'track shoe shoes stick bowl bowls spoon dish plate chair chairs boot boots '
    'trail path helmet jacket desk pad pot ship vessel mask cap gear needle needles '
    'fountain horse lane street'
)
# Alone they are places in a picture, not things in it.
PLACE_NOUNS = _words(
    'front back top bottom left right side middle center centre background '
    'foreground corner edge end rear distance'
)
PICTURE_NOUNS = _words('photo photograph picture image view shot closeup')
