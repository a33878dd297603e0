"""The guards of the layer's code, and its text without each: what some test must notice."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LAYER = Path(__file__).parents[2] / "layers" / "cloudfront"

_TABLE = "cdn.aws.table"
# What makes conditions: the functions of `cdn.aws.table`, and there boto3.
_CONDITIONS = {"absent", "at_most", "equal", "passed", "present"}
# A row with a key has one or has none.
_ALWAYS = {
    True: '(Attr("pk").exists() | Attr("pk").not_exists())',
    False: '(table.present("pk") | table.absent("pk"))',
}
_UNPROCESSED = {"UnprocessedItems", "UnprocessedKeys"}
_SHORT_TTL_S = "60"

_Mutation = tuple[ast.expr, str, str]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One module without one of its guards."""

    module: str
    line: int
    what: str
    source: str

    @property
    def name(self) -> str:
        return f"{self.module}:{self.line} {self.what}"


@cache
def mutants(module: str) -> list[Mutant]:
    """Return *module* without each of its guards, always in the same order."""
    source = path_of(module).read_text()
    return [
        Mutant(module, node.lineno, what, _replaced(source, node, text))
        for node, what, text in sorted(
            _mutations(ast.parse(source), source, own=module == _TABLE),
            key=lambda mutation: (mutation[0].lineno, mutation[0].col_offset),
        )
    ]


def all_mutants() -> list[Mutant]:
    """Return the mutants of all modules of the layer."""
    paths = sorted(LAYER.glob("cdn/**/*.py"))
    return [
        mutant
        for path in paths
        for mutant in mutants(".".join(path.relative_to(LAYER).with_suffix("").parts))
    ]


def path_of(module: str) -> Path:
    """Return the file of *module*."""
    return LAYER.joinpath(*module.split(".")).with_suffix(".py")


def _replaced(source: str, node: ast.expr, text: str) -> str:
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    start = starts[node.lineno - 1] + node.col_offset
    end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
    whole = source.encode()
    return (whole[:start] + text.encode() + whole[end:]).decode()


def _mutations(tree: ast.Module, source: str, *, own: bool) -> Iterator[_Mutation]:
    """Yield what is replaced, how that is called, and by which text."""
    operands = {id(operand) for node in ast.walk(tree) for operand in _operands(node)}
    has_rows = any(
        isinstance(node, ast.ImportFrom)
        and node.module == "cdn.aws"
        and "rows" in {alias.name for alias in node.names}
        for node in ast.walk(tree)
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and id(node) not in operands and _guards(node, own=own):
            yield node, "any condition holds", _ALWAYS[own]
            yield from _dropped(node, source)
        if not own:
            yield from _creations(node, source)
        yield from _reads(node)
        yield from _times_to_live(node, has_rows=has_rows)


def _reads(node: ast.AST) -> Iterator[_Mutation]:
    match node:
        case ast.keyword(arg="ConditionExpression", value=ast.Constant() as value):
            yield value, "any condition holds", '"attribute_not_exists(none)"'
        case ast.keyword(arg="ConsistentRead", value=ast.Constant(True) as value):
            yield value, "read inconsistently", "False"
        case ast.Dict(keys=keys, values=values):
            for key, asked in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "ConsistentRead":
                    yield asked, "read inconsistently", "False"
        case (
            ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(str(name)) as value, *_])
            | ast.Subscript(slice=ast.Constant(str(name)) as value)
        ) if name in _UNPROCESSED:
            yield value, f"{name} overlooked", '"_"'


def _times_to_live(node: ast.AST, *, has_rows: bool) -> Iterator[_Mutation]:
    match node:
        case ast.Constant("expires_at_s") as value if has_rows:
            yield value, "expires_at_s overlooked", '"_"'
        case ast.Assign(targets=[ast.Name(name)], value=value) if name.endswith("_TTL_S"):
            yield value, f"{name} is a minute", _SHORT_TTL_S


def _creations(node: ast.AST, source: str) -> Iterator[_Mutation]:
    match node:
        case ast.Call(func=ast.Attribute(ledger, "create") as function):
            called = ast.get_source_segment(source, ledger) or ""
            if called.split(".")[-1] == "ledger":
                arguments = (ast.get_source_segment(source, node) or "").removeprefix(
                    ast.get_source_segment(source, function) or ""
                )
                yield node, "any row is replaced", f"({called}.replace{arguments} is None)"


def _operands(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr(), right=right):
            return [left, right]
    return []


def _guards(node: ast.AST, *, own: bool) -> bool:
    """Return whether *node* is a condition, of one part or several."""
    match node:
        case ast.Call(func=ast.Attribute(ast.Name("table"), name)):
            return name in _CONDITIONS
        case ast.Attribute(attr="is_mine"):
            return True
        case ast.Call(func=ast.Name(name)):
            return own and name in _CONDITIONS
        case ast.Call(func=ast.Attribute(ast.Call(func=ast.Name("Attr")))):
            return own
    return any(_guards(operand, own=own) for operand in _operands(node))


def _dropped(node: ast.expr, source: str) -> Iterator[_Mutation]:
    """Yield a condition without each of its parts."""
    operands = _operands(node)
    for operand, rest in zip(operands, reversed(operands), strict=True):
        dropped = ast.get_source_segment(source, operand)
        yield node, f"without {dropped}", f"({ast.get_source_segment(source, rest)})"
        for _, what, text in _dropped(operand, source):
            yield node, what, f"({text}) {_operator(node)} ({ast.get_source_segment(source, rest)})"


def _operator(node: ast.expr) -> str:
    return "&" if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd) else "|"
