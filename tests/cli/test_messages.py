"""Both languages say everything, and Chinese is not English copied."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from microloan_cli import main as program
from microloan_cli.catalogues import LOCALE, entries_of
from microloan_cli.messages import Messages, texts_of
from microloan_cli.reasons import in_chinese
from microloan_cli.view import MONEY, RATES

from microloan import errors
from microloan.book import results
from microloan.servicing import events
from microloan.underwriting import DEFINITIONS

ROOT = Path(__file__).resolve().parents[2]
EN, ZH = texts_of("en"), texts_of("zh")
USAGE, REASONS = entries_of("zh", "reasons", "usage"), entries_of("zh", "reasons", "reason")
COMMANDS, OPTIONS = entries_of("zh", "help", "command"), entries_of("zh", "help", "option")
KEY = re.compile(r"(?:text|note)\(\s*\"([a-z_.]+)\"")
FIELDS = re.compile(r"\{([a-z0-9_]*)")


@pytest.mark.parametrize("po", sorted(LOCALE.rglob("*.po")), ids=lambda po: f"{po.parts[-3]}-{po.stem}")
def test_every_catalogue_is_compiled_whole_and_nothing_in_it_is_doubtful(po: Path) -> None:
    with po.open("rb") as file:
        entries = read_po(file, locale=po.parts[-3])
    assert [entry.id for entry in entries if entry.id and (entry.fuzzy or not entry.string)] == []
    compiled = BytesIO()
    write_mo(compiled, entries)
    assert compiled.getvalue() == po.with_suffix(".mo").read_bytes(), "run: make catalogues"


def test_both_catalogues_have_the_same_keys_and_chinese_words_errors_and_features_too() -> None:
    assert set(EN) == {key for key in ZH if not key.startswith(("error.", "feature."))}


def test_every_feature_has_its_meaning_in_chinese() -> None:
    assert {f"feature.{name}" for name in DEFINITIONS} == {key for key in ZH if key.startswith("feature.")}


def test_no_chinese_text_is_the_english_one() -> None:
    assert [key for key in EN if EN[key] == ZH[key]] == []
    assert [english for english, chinese in (USAGE | REASONS).items() if english == chinese] == []


def test_both_languages_fill_in_the_same_fields() -> None:
    assert [key for key in EN if sorted(FIELDS.findall(EN[key])) != sorted(FIELDS.findall(ZH[key]))] == []
    uneven = [e for e, c in (USAGE | REASONS).items() if e.count("{}") != c.count("{}")]
    assert uneven == []


def test_every_key_the_program_asks_for_exists() -> None:
    asked = {key for file in (ROOT / "cli").glob("*.py") for key in KEY.findall(file.read_text("utf-8"))}
    assert asked
    assert asked - set(EN) == set()


def shown_by(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Title and fields of everything a module shows as facts or a table."""
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("facts", "table"):
            title, _, fields = node.args[:3]
            yield ast.literal_eval(title), eval(ast.unparse(fields), vars(module))


def test_every_title_and_field_that_is_shown_has_a_label() -> None:
    shown = [pair for name in program.MODULES for pair in shown_by(import_module(f"microloan_cli.{name}"))]
    wanted = {f"title.{title}" for title, _ in shown if title} | {
        f"field.{field}" for _, fields in shown for field in fields.split()
    }
    assert len(wanted) > 100
    assert wanted - set(EN) == set()


def test_every_amount_of_the_book_is_shown_as_an_amount() -> None:
    amounts = {
        field.name
        for kind in vars(results).values()
        if dataclasses.is_dataclass(kind)
        for field in dataclasses.fields(kind)
        if field.type in ("Decimal", "Decimal | None") and not field.name.endswith("rate")
    }
    assert amounts - MONEY - RATES == set()


def error_classes() -> list[type[errors.MicroloanError]]:
    """Every error class of the library."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return [kind for kind in kinds if issubclass(kind, errors.MicroloanError)]


def test_every_error_has_a_chinese_wording_with_the_same_fields() -> None:
    for kind in error_classes()[1:]:
        wording = ZH[f"error.{kind.code}"]
        assert set(FIELDS.findall(wording)) == set(FIELDS.findall(kind.template)), kind


def test_an_error_with_a_finer_code_falls_back_to_the_wording_of_its_kind() -> None:
    refused = errors.DrawRefused(code="limit_exceeded", facility_id="f", amount="1.00", explanation="x")
    assert Messages("zh").error(refused) == "f：支用 1.00 被拒绝：x"
    assert Messages("en").error(refused) == refused.message


def test_reasons_inside_reasons_are_translated() -> None:
    assert in_chinese("cannot be read: Permission denied") == "无法读取：权限不足"
    assert in_chinese("nobody has translated this") == "nobody has translated this"


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("amount '-5.00' is below zero; give returns in refund_amount", "amount '-5.00' 小于零；退货金额请填入 refund_amount"),
        ("shop: 'tmall:' cannot be used: write a new shop as platform:shop", "shop：tmall: 不可用：新店铺请写作 平台:店铺"),
        ("amount: 'x' is not a usable amount: must be above zero", "amount：x 不是可用的金额：须大于零"),
        ("loan 'loan-9' does not exist in this book", "本账簿中没有 借据 loan-9"),
    ],
)  # fmt: skip
def test_why_a_row_was_not_taken_is_told_in_chinese(english: str, chinese: str) -> None:
    row = {"line": 4, "code": "some_code", "message": english}
    assert Messages("zh").rejected(row) == f"第 4 行：some_code：{chinese}"
    assert Messages("en").rejected(row) == f"line 4: some_code: {english}"


def reasons_of_the_library() -> dict[str, str]:
    """Every reason that stands in the code as text, with ``{}`` for its values, and where it stands."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "microloan").rglob("*.py")) + sorted((ROOT / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in ("reason", "remedy"):
                found.update(dict.fromkeys(texts(node.value), f"{file.name}:{node.value.lineno}"))
            if isinstance(node, ast.Call) and called(node) in ("refuse_unless", "Fault", "_reject"):
                found.update(dict.fromkeys(texts(node.args[-1]), f"{file.name}:{node.lineno}"))
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("reason", "message"):
                found.update(dict.fromkeys(texts(node.value), f"{file.name}:{node.lineno}"))
    return found


def called(call: ast.Call) -> str:
    """The last name of what is called: ``Fault``, ``_reject``."""
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


def texts(node: ast.expr) -> list[str]:
    """The texts an expression can be, as far as they stand in the code."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)]
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    return []


def test_every_reason_in_the_code_has_a_chinese_text() -> None:
    """But codes and sentences put together from parts, whose translations stand for the whole."""
    said = {text: place for text, place in reasons_of_the_library().items() if re.search("[a-z]{2}", text)}
    missing = {text: place for text, place in said.items() if " " in text and "{}{}" not in text}
    assert {text: place for text, place in missing.items() if text not in REASONS} == {}


def helped(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """A command and all below it, with their names."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from helped(f"{path} {name}".strip(), below)


def test_every_command_and_option_has_its_help_in_chinese() -> None:
    commands = dict(helped("", typer.main.get_command(program.build())))
    assert {path or "microloan" for path in commands} == set(COMMANDS)
    options = {param.help for command in commands.values() for param in command.params if param.help}
    assert options - set(OPTIONS) == set()
    assert [english for english, chinese in OPTIONS.items() if english == chinese] == []


def test_help_speaks_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["loan", "waive", "--help", "--lang", "zh"]) == 0
    said = capsys.readouterr().out
    assert "减免所欠的一部分" in said
    assert "通用选项" in said
    assert "microloan loan waive LOAN penalty 12.50" in said


def test_every_kind_of_event_has_a_trade_word() -> None:
    kinds = {
        kind.kind for kind in vars(events).values() if isinstance(kind, type) and getattr(kind, "kind", "")
    }
    assert {f"event.{kind}" for kind in kinds} - set(EN) == set()
