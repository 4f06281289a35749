"""The absorbed form of bi-directional attention against the plain one, and by formula.

In float64 both agree to 1e-10; in float32, where they round differently, to 1e-5 of
values of order one, and gradients to 1e-4 of the largest.
"""

import pytest
import torch

from glip.ops import BiProjections, plain_bi_attention, plain_path
from glip.ops.cpu import absorbed_bi_attention, takes_absorbed_form
from glip.ops.cpu import tiled_attention as tiles
from glip.ops.cpu.absorbed_attention import absorption_pays

SIZES = {
    # channels, token channels, embed_dim, heads, tokens, positions per level
    'as GLIP': (16, 24, 64, 4, 7, (300, 70, 3)),
    'one token': (16, 24, 64, 4, 1, (40, 9)),
    'one position': (8, 8, 8, 1, 3, (1,)),
    'heads narrower than positions': (24, 10, 16, 4, 5, (70, 6)),
    'heads wider than positions': (4, 10, 24, 2, 5, (70, 6)),
}


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Several tiles, the last of them not full."""
    monkeypatch.setattr(tiles, '_TILE_SCORES', 64)
    monkeypatch.setattr(tiles, '_LEAST_ROWS', 64)


def draw(size, dtype=torch.float64, batch=2, spread=1.0):
    channels, words, dims, heads, tokens, positions = SIZES[size]
    generator = torch.Generator().manual_seed(0)

    def randn(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    shapes = BiProjections(
        query=(dims, channels),
        key=(dims, words),
        value_v=(dims, channels),
        value_l=(dims, words),
        out_v=(channels, dims),
        out_l=(words, dims),
    )
    weights = [
        (randn(*shape) * spread / shape[1] ** 0.5, randn(shape[0]) * 0.3)
        for shape in shapes
    ]
    mask = torch.ones(batch, tokens, dtype=torch.bool)
    mask[1:, 1 + tokens // 2 :] = False
    return dict(
        levels=[randn(batch, n, channels) for n in positions],
        tokens=randn(batch, tokens, words),
        mask=mask,
        projections=BiProjections(*weights),
        num_heads=heads,
        scale=randn(batch, channels),
    )


def real(outs, mask):
    """Results without those of tokens that are not real."""
    levels, update = outs
    return *levels, update[mask]


def results(form, fields, **changes):
    fields = fields | changes
    levels = [level.clone() for level in fields['levels']]
    with torch.no_grad():
        outs = form(**fields | dict(levels=levels))
    mask = fields['mask']
    return real(outs, ... if mask is None else mask)


def gradients(form, fields, **changes):
    """Of everything that has any, for a random direction of the results."""
    fields = fields | changes
    leaves = [
        *fields['levels'],
        fields['tokens'],
        *(x for pair in fields['projections'] for x in pair),
        fields['scale'],
    ]
    leaves = [x.clone().requires_grad_() for x in leaves]
    count = len(fields['levels'])
    pairs = leaves[count + 1 : -1]
    outs = form(
        **fields
        | dict(
            levels=leaves[:count],
            tokens=leaves[count],
            projections=BiProjections(*zip(pairs[::2], pairs[1::2], strict=True)),
            scale=leaves[-1],
        )
    )
    generator = torch.Generator().manual_seed(1)
    total = sum(
        (out * torch.randn(out.shape, generator=generator, dtype=out.dtype)).sum()
        for out in real(outs, fields['mask'])
    )
    return torch.autograd.grad(total, leaves)


def assert_close(found, expected, tolerance):
    for one, other in zip(found, expected, strict=True):
        largest = max(other.abs().max().item(), 1.0)
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance * largest)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(
    'dtype, tolerance', [(torch.float64, 1e-10), (torch.float32, 1e-5)], ids=str
)
def test_forms_are_equal(size, dtype, tolerance):
    fields = draw(size, dtype)
    for changes in ({}, dict(mask=None), dict(scale=fields['scale'][0])):
        found = results(absorbed_bi_attention, fields, **changes)
        assert_close(found, results(plain_bi_attention, fields, **changes), tolerance)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(
    'dtype, tolerance', [(torch.float64, 1e-10), (torch.float32, 1e-4)], ids=str
)
def test_gradients_are_equal(size, dtype, tolerance):
    fields = draw(size, dtype)
    found = gradients(absorbed_bi_attention, fields)
    assert_close(found, gradients(plain_bi_attention, fields), tolerance)


def test_gradients_are_those_of_differences():
    keys, bias, values = (
        torch.randn(s, dtype=torch.float64, requires_grad=True)
        for s in ((2, 2, 3, 4), (2, 2, 3), (2, 2, 3, 4))
    )
    levels = [
        torch.randn(2, n, 4, dtype=torch.float64, requires_grad=True) for n in (70, 5)
    ]

    def run(keys, bias, values, *levels):
        torch.manual_seed(0)  # the same probabilities are dropped each time
        levels, means, mass = tiles.tiled_attention(levels, keys, bias, values, 0.25)
        return *levels, means, mass

    assert torch.autograd.gradcheck(run, (keys, bias, values, *levels), fast_mode=True)


def formula(fields, keep):
    """The paper's formula, with masks of what is kept: (B, H, N, T), (B, H, T, N)."""
    (keep_v, keep_l), share = keep
    positions, tokens = torch.cat(fields['levels'], 1), fields['tokens']
    p, heads = fields['projections'], fields['num_heads']

    def split(x, pair):
        x = x @ pair[0].t() + pair[1]
        return x.unflatten(2, (heads, -1)).transpose(1, 2)

    q, k = split(positions, p.query), split(tokens, p.key)
    scores = q @ k.mT / q.shape[-1] ** 0.5
    masked = scores.masked_fill(~fields['mask'][:, None, None], -torch.inf)
    read_v = (masked.softmax(-1) * keep_v / share) @ split(tokens, p.value_l)
    read_l = (scores.mT.softmax(-1) * keep_l / share) @ split(positions, p.value_v)
    join = [x.transpose(1, 2).flatten(2) for x in (read_v, read_l)]
    update_v = join[0] @ p.out_v[0].t() + p.out_v[1]
    update_l = join[1] @ p.out_l[0].t() + p.out_l[1]
    positions = positions + update_v * fields['scale'][:, None]
    sizes = [level.shape[1] for level in fields['levels']]
    return positions.split(sizes, 1), update_l


@pytest.fixture
def known_dropout(monkeypatch):
    """Probabilities dropped by masks that the test knows as well."""

    def install(size, rate):
        *_, heads, tokens, positions = SIZES[size]
        generator = torch.Generator().manual_seed(2)
        keep = [
            torch.rand(2, heads, *shape, generator=generator) >= rate
            for shape in ((sum(positions), tokens), (tokens, sum(positions)))
        ]

        def replay(self):
            places = [0, 0]  # positions drawn for, per direction

            def draw(shape):
                # A tile asks for the positions under its tokens, then the reverse.
                way = draw.calls % 2
                draw.calls += 1
                start, count = places[way], shape[1]
                places[way] += count
                picture, first = divmod(start, sum(positions))
                mask = keep[1] if way == 0 else keep[0].mT
                part = mask[picture, :, :, first : first + count]
                return part.reshape(shape)

            draw.calls = 0
            return draw

        monkeypatch.setattr(tiles.Dropout, 'replay', replay)
        return keep, tiles.Dropout(rate).kept_share

    return install


@pytest.mark.parametrize('size', ['as GLIP', 'one token'])
def test_dropout_by_formula(size, known_dropout):
    """What is dropped from a probability is dropped from the bias of its value too."""
    keep = known_dropout(size, 0.25)
    fields = draw(size)
    found = results(absorbed_bi_attention, fields, dropout=0.25)
    expected = real(formula(fields, keep), fields['mask'])
    assert_close(found, expected, 1e-10)
    found = gradients(absorbed_bi_attention, fields, dropout=0.25)

    def form(dropout, **fields):
        return formula(fields, keep)

    assert_close(found, gradients(form, fields, dropout=0.25), 1e-10)


def test_formula_is_the_plain_form():
    fields = draw('as GLIP')
    ones = torch.ones((), dtype=torch.bool)
    expected = real(formula(fields, ((ones, ones), 1.0)), fields['mask'])
    assert_close(results(plain_bi_attention, fields), expected, 1e-10)


def test_dropout_keeps_its_share_and_repeats_itself():
    torch.manual_seed(0)
    drop = tiles.Dropout(0.1)
    assert drop.kept_share == pytest.approx(0.9, abs=1e-5)
    draw_once, again = drop.replay(), drop.replay()
    first, second = (draw_once(torch.Size((500, 999))) for _ in range(2))
    assert first.float().mean().item() == pytest.approx(0.9, abs=2e-3)
    assert (first & second).float().mean().item() == pytest.approx(0.81, abs=3e-3)
    # Four are drawn at a time, and each of the four is dropped as often.
    lanes = first.flatten()[: first.numel() // 4 * 4].view(-1, 4).float().mean(0)
    torch.testing.assert_close(lanes, torch.full((4,), 0.9), atol=4e-3, rtol=0)
    assert torch.equal(again(first.shape), first)
    assert torch.equal(again(first.shape), second)
    other = tiles.Dropout(0.1).replay()(first.shape)
    assert not torch.equal(other, first)
    assert not tiles.Dropout(0.0) and tiles.Dropout(0.0).kept_share == 1


def test_dropout_keeps_the_mean():
    fields = draw('as GLIP', torch.float32)
    torch.manual_seed(0)
    expected = results(absorbed_bi_attention, fields)
    runs = [results(absorbed_bi_attention, fields, dropout=0.2) for _ in range(100)]
    for mean, out, one in zip(map(torch.stack, zip(*runs)), expected, runs[0]):
        error = (mean.mean(0) - out).abs() / (mean.std(0) / 100**0.5 + 1e-6)
        assert error.max() < 6 and not torch.allclose(one, out, atol=1e-3)


def test_scores_of_any_size_are_safe():
    """Sums of exponentials that overflow or vanish by themselves."""
    fields = draw('as GLIP', spread=30.0)
    found = results(absorbed_bi_attention, fields)
    assert_close(found, results(plain_bi_attention, fields), 1e-10)
    single = draw('as GLIP', torch.float32, spread=30.0)
    for out in results(absorbed_bi_attention, single):
        assert out.isfinite().all()


def test_padding_stays_finite_and_has_no_part():
    fields = draw('as GLIP')
    longer = dict(
        tokens=torch.cat((fields['tokens'], torch.full((2, 5, 24), 9.0).double()), 1),
        mask=torch.cat((fields['mask'], torch.zeros(2, 5, dtype=torch.bool)), 1),
    )
    levels = [level.clone() for level in fields['levels']]
    outs = absorbed_bi_attention(**fields | longer | dict(levels=levels))
    assert outs[1].isfinite().all()
    found = real(outs, longer['mask'])
    assert_close(found, results(absorbed_bi_attention, fields), 1e-10)


def test_memory_is_used_again_only_without_gradients():
    fields = draw('as GLIP')
    levels = [level.clone() for level in fields['levels']]
    with torch.no_grad():
        found, _ = absorbed_bi_attention(**fields | dict(levels=levels))
    assert all(a.data_ptr() == b.data_ptr() for a, b in zip(found, levels))
    levels = [level.clone() for level in fields['levels']]
    tokens = fields['tokens'].clone().requires_grad_()
    absorbed_bi_attention(**fields | dict(levels=levels, tokens=tokens))
    assert all(torch.equal(a, b) for a, b in zip(levels, fields['levels']))


def test_levels_need_not_be_contiguous():
    fields = draw('as GLIP')
    apart = [level.mT.contiguous().mT for level in fields['levels']]
    with torch.no_grad():
        found = absorbed_bi_attention(**fields | dict(levels=apart))
    expected = results(absorbed_bi_attention, fields)
    assert_close(real(found, fields['mask']), expected, 1e-12)


def test_form_is_chosen():
    fields = draw('as GLIP', torch.float32)
    inputs = fields['levels'][0], fields['tokens'], fields['projections']
    heads = fields['num_heads']
    assert takes_absorbed_form(*inputs, heads)
    with plain_path():
        assert not takes_absorbed_form(*inputs, heads)
    with torch.autocast('cpu', torch.bfloat16):
        assert not takes_absorbed_form(*inputs, heads)
        with torch.no_grad():
            assert takes_absorbed_form(*inputs, heads)


def test_absorbed_form_is_left_where_it_multiplies_more():
    pays = absorption_pays
    assert pays(256, 2048, 8, 5) and pays(256, 2048, 8, 256)  # GLIP, always
    # Heads of 64 channels for positions of 256: short prompts only.
    assert pays(256, 512, 8, 90) and not pays(256, 512, 8, 100)


@pytest.mark.parametrize('form', [plain_bi_attention, absorbed_bi_attention])
def test_half_precision(form):
    fields = draw('as GLIP', torch.float32)
    with torch.autocast('cpu', torch.bfloat16):
        found = results(form, fields)
    assert all(level.dtype is torch.float32 for level in found[:-1])
    expected = results(plain_bi_attention, fields)
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() < 0.05 * other.abs().max()
