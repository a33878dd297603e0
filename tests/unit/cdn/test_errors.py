"""The tree of errors that is drawn is the tree that there is."""

import re
from pathlib import Path

from cdn import errors


def drawn():
    """Return each error of the drawing with its superclass."""
    levels = ["CdnError"]
    tree = {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│ ]*[├└]── )(\w+)", line)
        if match:
            level = len(match[1]) // 4
            tree[match[2]] = levels[level - 1]
            levels[level:] = [match[2]]
    return tree


def subclasses(error):
    """Return each error below *error* with its superclass."""
    tree: dict[str, str] = {}
    for child in error.__subclasses__():
        tree |= {child.__name__: error.__name__} | subclasses(child)
    return tree


class TestTree:
    def test_drawn(self):
        """
        Every error stands in the drawing, below its superclass, and no other does.
        """
        assert drawn() == subclasses(errors.CdnError)

    def test_raised(self):
        """
        Every error that has no others below it is raised somewhere.
        """
        root = Path(errors.__file__).parent
        raised = set(
            re.findall(r"raise (?:errors\.)?(\w+Error)", "".join(map(_text, root.rglob("*.py"))))
        )
        tree = subclasses(errors.CdnError)

        assert {*tree} - {*tree.values()} <= raised


def _text(path):
    return path.read_text()
