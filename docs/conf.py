"""How Sphinx makes the site out of these pages and of the docstrings: ``make docs``."""

import inspect
from typing import Any

from pydantic import BaseModel
from pygments.lexers.special import TextLexer

from microloan import __version__

project = "microloan"
author = "The microloan authors"
copyright = author
version = release = __version__
html_title = f"microloan {__version__}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
html_theme = "furo"
html_copy_source = False

myst_heading_anchors = 3

# In the order of the source, which is the order in which a result is printed.
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

# A docstring that names a function leads to it. Types of other projects, and those of fields, lead nowhere.
nitpicky = True
nitpick_ignore_regex = [("py:class", ".*"), ("py:obj", r"typing\..*")]

#: What takes one of these first is a step inside a transaction of the book, not something to call.
INSIDE = ("unit", "desk")


#: Blocks of figures and of files, which no lexer need colour.
PLAIN = ("csv", "figures")


def setup(app: Any) -> None:
    """Sphinx calls this."""
    for name in PLAIN:
        app.add_lexer(name, TextLexer)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", fields)


def skip(_app: Any, _what: str, _name: str, member: Any, skipped: bool, _options: Any) -> bool | None:
    """Leave out the steps inside the book's own transactions; None leaves the choice to Sphinx."""
    inside = inspect.isfunction(member) and next(iter(inspect.signature(member).parameters), "") in INSIDE
    return True if inside and not skipped else None


def fields(_app: Any, _what: str, _name: str, member: Any, *_: Any) -> tuple[str, str] | None:
    """The fields of a checked model as its source names them, without the machinery that checks them."""
    if not (inspect.isclass(member) and issubclass(member, BaseModel)):
        return None
    named = {
        name: kind
        for part in reversed(member.__mro__)
        for name, kind in inspect.get_annotations(part).items()
    }
    return f"({', '.join(f'{name}: {named[name]}' for name in member.model_fields)})", ""
