"""What all pages and pictures share: one file without any reference to another, light, printable, narrow and wide.

Pictures are SVG text inside the page, so that their words are drawn by the reader's fonts; as files they may be PNG too.
Needs the extra ``reports``.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final

from ..errors import BadInput, InvalidSetting

INK: Final = "#1f2933"
SOFT: Final = "#52606d"
RULE: Final = "#8a94a0"
COLOURS: Final = ("#1d5c8f", "#c4622d")

#: Fonts of pages and pictures, Chinese ones included; the reader has some of them.
FONTS: Final = (
    "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC",
    "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "sans-serif",
)  # fmt: skip
#: Fonts with which a PNG can show Chinese.
CHINESE_FONTS: Final = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
    "Microsoft YaHei", "PingFang SC", "SimHei",
)  # fmt: skip

_STYLE: Final = {
    "font.family": "sans-serif", "font.size": 9, "axes.edgecolor": "#c5ccd3", "axes.labelcolor": INK, "text.color": INK,
    "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 10,
    "xtick.color": SOFT, "ytick.color": SOFT, "axes.grid": True, "axes.grid.axis": "y", "grid.color": "#e4e7eb",
    "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none",
    "svg.hashsalt": "microloan", "legend.frameon": False, "legend.fontsize": 8.5, "axes.formatter.use_mathtext": False,
}  # fmt: skip

Draw = Callable[[Any], None]


def render(template: str, filters: Mapping[str, Callable[..., object]] | None = None, **values: Any) -> str:
    """A page from a Jinja template beside this module, or its text; whatever text it is given is escaped.

    A template that extends ``page.html`` wants ``lang`` and ``title``. Raises InvalidSetting without the extra.
    """
    jinja2 = extra("jinja2")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_beside),
    )  # fmt: skip
    environment.filters.update({"percent": percent, "plain": plain, "money": money, **(filters or {})})
    found = (
        environment.get_template(template)
        if template.endswith(".html")
        else environment.from_string(template)
    )
    text: str = found.render(style_sheet=markup(_beside("page.css")), **values)
    return text


def _beside(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


# --- pictures ---------------------------------------------------------------------------------------------------------


def svg(draw: Draw, size: tuple[float, float] = (4.8, 2.9)) -> Any:
    """A picture as safe SVG text without a prologue, its words in the page's fonts; the same values give the same text.

    No reference leaves the page.
    """
    text = _svg_text(draw, size, "inherit")
    text = text[text.index("<svg") :]
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return markup(text)


def picture(draw: Draw, suffix: str, size: tuple[float, float] = (8.0, 4.8)) -> bytes:
    """A picture as the bytes of a ``.png`` or ``.svg`` file. Raises BadInput for another suffix, InvalidSetting."""
    kind = suffix.lower().lstrip(".")
    if kind not in ("png", "svg"):
        raise BadInput(field="plot", value=suffix, reason="a picture is a .png or an .svg file")
    if kind == "svg":
        return _svg_text(
            draw, size, ", ".join(f"'{font}'" if " " in font else font for font in FONTS)
        ).encode()
    out = io.BytesIO()
    _draw(draw, size, out, {"format": "png", "dpi": 150})
    return out.getvalue()


def chinese_fonts() -> tuple[str, ...]:
    """The installed fonts with which a PNG can show Chinese; an SVG leaves that to its reader."""
    installed = {font.name for font in extra("matplotlib.font_manager").fontManager.ttflist}
    return tuple(font for font in CHINESE_FONTS if font in installed)


def _svg_text(draw: Draw, size: tuple[float, float], fonts: str) -> str:
    out = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # only measured with it
        _draw(draw, size, out, {"format": "svg", "metadata": nothing})
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", out.getvalue(), flags=re.S)
    return re.sub(r"font-family: [^;\"]*", f"font-family: {fonts}", text)


def _draw(draw: Draw, size: tuple[float, float], out: Any, options: dict[str, Any]) -> None:
    matplotlib = extra("matplotlib")
    extra("matplotlib.backends.backend_svg")
    figure = extra("matplotlib.figure")
    with matplotlib.rc_context({**_STYLE, "font.sans-serif": ["DejaVu Sans", *chinese_fonts()]}):
        made = figure.Figure(figsize=size, layout="constrained")
        draw(made.add_subplot())
        made.savefig(out, **options)


def extra(module: str) -> Any:
    """A module of the extra ``reports``. Raises InvalidSetting (extra_missing) where it is not installed."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        reason = 'pages and pictures need matplotlib and jinja2; install them with: pip install "microloan[reports]"'
        raise InvalidSetting(code="extra_missing", field="extra", value="reports", reason=reason) from None


def markup(text: str) -> Any:
    """Marked as safe: made here, from numbers and from names that matplotlib has escaped."""
    return extra("markupsafe").Markup(text)


# --- values as text ---------------------------------------------------------------------------------------------------


def percent(share: Decimal | None) -> str:
    """A share in per cent with one digit, or a dash.

    >>> percent(Decimal("0.1234")), percent(None)
    ('12.3%', '–')
    """
    return "–" if share is None else f"{share * 100:.1f}%"


def plain(value: object) -> str:
    """Any value as text, a dash for what is not known."""
    return "–" if value is None else str(value)


def money(amount: Decimal | None) -> str:
    """An amount with all its digits, thousands apart.

    >>> money(Decimal("-1234567.80"))
    '-1,234,567.80'
    """
    return "–" if amount is None else f"{amount:,f}"
