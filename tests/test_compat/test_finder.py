"""``import glip`` makes mmcv.ops importable in whatever order things are imported."""

import subprocess
import sys
import textwrap
from pathlib import Path

import mmcv._ext
import pytest

import glip

_ROOT = Path(glip.__file__).resolve().parent.parent


def _run(code, *more_paths):
    """Standard error of a fresh process that runs the code without an error."""
    paths = [*map(str, more_paths), str(_ROOT)]
    done = subprocess.run(
        [sys.executable, '-c', f'import sys\nsys.path[:0] = {paths}\n' + code],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture
def fake_mmcv(tmp_path):
    """A package mmcv whose extension is the code given."""

    def make(extension):
        (tmp_path / 'mmcv').mkdir()
        (tmp_path / 'mmcv' / '__init__.py').touch()
        (tmp_path / 'mmcv' / '_ext.py').write_text(extension)
        return tmp_path

    return make


def test_words_need_no_torch():
    _run('import glip, glip.text; assert not {"torch", "mmcv"} & set(sys.modules)')


def test_compiled_extension_is_left_alone(fake_mmcv):
    folder = fake_mmcv('def nms():\n    return "compiled"')
    _run(
        'import glip, mmcv._ext\n'
        'assert mmcv._ext.nms() == "compiled" and not hasattr(mmcv._ext, "softnms")\n'
        'assert mmcv._ext.__file__.endswith("_ext.py")\n'
        'assert "torch" not in sys.modules',
        folder,
    )


def test_extension_imported_before_is_left_alone():
    _run(
        textwrap.dedent("""
        from types import ModuleType

        class Compiled(ModuleType):
            def __getattr__(self, name):
                if name.startswith('__'):
                    raise AttributeError(name)
                return lambda *args, **kwargs: [name]

        compiled = sys.modules['mmcv._ext'] = Compiled('mmcv._ext')
        import glip, mmcv.ops
        assert sys.modules['mmcv._ext'] is compiled
        assert sys.modules['mmcv.ops.nms'].ext_module is compiled
        """)
    )


def test_extension_that_does_not_load_is_replaced_with_a_warning(fake_mmcv):
    folder = fake_mmcv('raise ImportError("undefined symbol: _ZN2at")')
    said = _run(
        'import glip, mmcv._ext\nassert mmcv._ext.nms.__module__.startswith("glip.")',
        folder,
    )
    assert 'undefined symbol: _ZN2at' in said
    assert 'torchvision stands in' in said


@pytest.mark.skipif(
    hasattr(mmcv._ext, '__file__'), reason='mmcv has compiled ops that always import'
)
def test_mmdet_imported_first_is_repaired():
    _run(
        textwrap.dedent("""
        import mmcv
        for module in ('mmcv.ops', 'mmdet.models'):
            try:
                __import__(module)
            except ImportError:
                continue
            raise AssertionError(module + ' needs no stand-in')
        rpn_head = sys.modules['mmdet.models.dense_heads.rpn_head']
        assert rpn_head.batched_nms.__module__ == rpn_head.__name__  # only raises

        import glip
        from mmcv.ops import CornerPool, batched_nms
        from mmcv.ops.carafe import CARAFEPack
        from mmcv.ops.nms import batched_nms as the_same
        assert rpn_head.batched_nms is batched_nms is the_same

        import mmdet.apis, mmdet.datasets, mmdet.models
        from mmdet.models.dense_heads import corner_head
        assert corner_head.CornerPool is CornerPool
        assert mmdet.models.RPNHead.__module__ == rpn_head.__name__
        """)
    )


def test_installing_twice_adds_nothing():
    from glip.compat import finder

    before = list(sys.meta_path)
    finder.install()
    assert sys.meta_path == before


def test_extension_has_no_special_attributes():
    assert not hasattr(mmcv._ext, '__path__')
