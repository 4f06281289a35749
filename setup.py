"""Packaging: what is installed, and how configs and tools come with it."""

import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# Carried inside the package, in the folder that OpenMMLab's `mim` looks into.
EXTRAS = ('configs', 'demo', 'tools', 'model-index.yml')
MIM = Path('glip', '.mim')


def parse_requirements(name: str) -> list[str]:
    """Requirements of ``requirements/<name>.txt`` with those that it includes."""
    found = []
    for line in (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines():
        line = line.partition('#')[0].strip()
        if line.startswith('-r '):
            found += parse_requirements(Path(line[3:].strip()).stem)
        elif line:
            found.append(line)
    return found


def read_version() -> str:
    """The version, without importing the package and thus its dependencies."""
    scope: dict[str, str] = {}
    exec((ROOT / 'glip' / 'version.py').read_text(), scope)
    return scope['__version__']


class BuildWithExtras(build_py):
    """Adds configs, tools and the demo: copied, or linked in an editable install."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            self._link(ROOT / MIM)
        else:
            self._copy(Path(self.build_lib) / MIM)

    def _copy(self, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        ignore = shutil.ignore_patterns('__pycache__', '*.pyc')
        for name in EXTRAS:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target / name, ignore=ignore)
            else:
                shutil.copy2(ROOT / name, target / name)

    def _link(self, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in EXTRAS:
            try:
                (target / name).symlink_to(os.path.relpath(ROOT / name, target))
            except OSError:  # a system without links; the checkout is found without
                return


setup(
    name='glip',
    version=read_version(),
    description='Words in, boxes out: grounded language-image pre-training (GLIP)',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The glip authors',
    license='Apache-2.0',
    keywords='object detection, phrase grounding, open vocabulary, GLIP',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Image Recognition',
        'Typing :: Typed',
    ],
    python_requires='>=3.10',
    packages=find_packages(include=['glip', 'glip.*']),
    package_data={
        'glip': ['py.typed', 'text/vocab/*.txt', 'weights/*', 'report/templates/*']
    },
    install_requires=parse_requirements('runtime'),
    extras_require={
        'formats': parse_requirements('formats'),
        'onnx': parse_requirements('onnx'),
        'page': parse_requirements('page'),
        'video': parse_requirements('video'),
        'nlp': parse_requirements('nlp'),
        'serve': parse_requirements('serve'),
        'stream': parse_requirements('stream'),
        'tests': parse_requirements('tests'),
        'docs': parse_requirements('docs'),
        'dev': parse_requirements('dev'),
    },
    entry_points={'console_scripts': ['glip = glip.cli.app:main']},
    cmdclass={'build_py': BuildWithExtras},
    zip_safe=False,
)
