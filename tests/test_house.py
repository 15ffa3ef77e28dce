"""The rules of the house that a machine can check, and for each a planted breach that shows that its check bites."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from itertools import chain
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from syncer.cli.application import application
from syncer.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]

# Words that say nothing. Terms of others may hold one: they are named here with whose they are.
EMPTY_WORDS = frozenset(
    ("manager", "handler", "processor", "service", "helper", "utils", "util", "common", "data", "info", "item")
)
TERMS_OF_OTHERS = ("service_account", "conference_data", "data_folder")  # Google's, Google's, Postgres's


@dataclass(frozen=True)
class Source:
    """A file of the project. path: relative to its root, with slashes."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.text)


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def _sources() -> tuple[Source, ...]:
    """Every text file that belongs to the project: what .gitignore names is left out."""
    found = (path for path in sorted(ROOT.rglob("*")) if path.is_file() and not _is_left_out(path))
    return tuple(Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8", "replace")) for path in found)


def _is_left_out(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    hidden = {part for part in parts if part.startswith(".")} - {".ci", ".gitignore"}
    return bool(hidden) or bool({"__pycache__", "dist", "tmp", "node_modules"} & set(parts)) or path.suffix == ".pyc"


Finding = Iterator[str]


def _functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def long_functions(source: Source) -> Finding:
    for function in _functions(source):
        lines = (function.end_lineno or 0) - function.lineno + 1
        if lines > 60:
            yield f"{function.name} has {lines} lines"


def wide_functions(source: Source) -> Finding:
    for function in _functions(source):
        given = function.args
        several = [given.vararg, given.kwarg]
        named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *(one for one in several if one)]
        count = len([parameter for parameter in named if parameter.arg not in ("self", "cls")])
        if count > 5:
            yield f"{function.name} has {count} parameters"


def long_files(source: Source) -> Finding:
    lines = source.text.count("\n")
    if lines > 400:
        yield f"{lines} lines"


def roleless_modules(source: Source) -> Finding:
    if not ast.get_docstring(source.tree):
        yield "no docstring that says its role"


def empty_names(source: Source) -> Finding:
    names = [Path(source.path).stem, Path(source.path).parent.name]
    names += [node.name for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)]
    names += [function.name for function in _functions(source)]
    for name in names:
        plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")
        for term in TERMS_OF_OTHERS:
            plain = plain.replace(term, "")
        words = {word if word in EMPTY_WORDS else word.removesuffix("s") for word in plain.split("_")}
        if words & EMPTY_WORDS or plain.startswith(("do_", "async_", "my_")):
            yield f"the name {name}"


def read_clocks(source: Source) -> Finding:
    told = {"datetime": {"now", "utcnow", "today"}, "date": {"today"}, "time": {"time", "time_ns"}}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            whose = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if node.attr in told.get(whose, ()):
                yield f"line {node.lineno}: {whose}.{node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            named = (name.name for name in node.names if name.name in told["time"])
            yield from (f"line {node.lineno}: from time import {name}" for name in named)


def broad_excepts(source: Source) -> Finding:
    for place in (source.tree, *_functions(source)):
        for node in ast.walk(place):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and _is_innermost(place, node):
                yield f"{getattr(place, 'name', 'the module')} catches everything"


def _is_innermost(place: ast.AST, node: ast.AST) -> bool:
    inner = (part for part in ast.walk(place) if part is not place)
    return not any(
        isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and node in ast.walk(part) for part in inner
    )


def _is_broad(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    return any(isinstance(part, ast.Name) and part.id in ("Exception", "BaseException") for part in ast.walk(caught))


def stray_tasks(source: Source) -> Finding:
    makers = {"create_task", "ensure_future", "TaskGroup", "gather"}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in makers:
            yield f"line {node.lineno}: {node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module == "asyncio":
            yield from (f"line {node.lineno}: {name.name}" for name in node.names if name.name in makers)


def uncapped_reads(source: Source) -> Finding:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Attribute) and called.attr in ("read", "text", "json") and not node.value.args:
                yield f"line {node.lineno}: .{called.attr}() without a limit"


def sleeps(source: Source) -> Finding:
    loops = [node for node in ast.walk(source.tree) if isinstance(node, ast.While)]
    asking = {part for loop in loops for part in ast.walk(loop)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr == "sleep" and node not in asking:
            yield f"line {node.lineno}: sleeps, and does not ask whether what it waits for has come"
        if isinstance(node, ast.ImportFrom) and node.module in ("asyncio", "time"):
            yield from (f"line {node.lineno}: imports sleep" for name in node.names if name.name == "sleep")


def sql_clocks(source: Source) -> Finding:
    clocks = r"\b(now\s*\(|(clock|statement|transaction)_timestamp|(current|local)_?(timestamp|time|date)\b)"
    for line in source.text.splitlines():
        if re.search(clocks, line.partition("--")[0] + " ", re.IGNORECASE):
            yield line.strip()


def purposeless_statements(source: Source) -> Finding:
    for statement in re.split(r"^-- name: ", source.text, flags=re.MULTILINE)[1:]:
        name, _, rest = statement.partition("\n")
        if not re.match(r"-- \w", rest):
            yield f"{name} does not begin with its purpose"


def machine_paths(source: Source) -> Finding:
    pattern = r"(?<![\w.:/~}$-])/(?:" + "|".join(("home", "root", "work", "Users")) + r")/[\w.]"
    for found in re.finditer(pattern, source.text):
        yield f"line {source.text.count(chr(10), 0, found.start()) + 1}: a path of one machine"


def registries(source: Source) -> Finding:
    hosts = (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("proxy.golang", "org"), ("crates", "io"))
    options = tuple("-" * 2 + name for name in ("index-url", "extra-index-url", "find-links", "trusted-host"))
    for name in (*(".".join(host) for host in hosts), *options):
        if name in source.text:
            yield f"names {name}"


def dead_links(source: Source) -> Finding:
    targets = re.findall(r"\]\(([^)\s]+)\)|\b(?:src|srcset|href)=\"([^\"]+)\"", source.text)
    for target in chain.from_iterable(targets):
        if not target or re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / source.path).parent / path if path else ROOT / source.path
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            yield f"the link {target} leads nowhere"


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8") if page.is_file() else "", re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def unknown_settings(source: Source) -> Finding:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", source.text)) - known:
        if not name.startswith(Settings.model_fields["credentials_prefix"].default):
            yield f"there is no setting {name}"


def unknown_tests(source: Source) -> Finding:
    there = "\n".join(one.text for one in _sources() if one.path.startswith("tests/"))
    for name in set(re.findall(r"`(test_\w+)`", source.text)):
        if f"def {name}(" not in there:
            yield f"there is no test {name}"


def unknown_commands(source: Source) -> Finding:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for target in re.findall(r"^make ([a-z]+)|`make ([a-z]+)", _code(source.text), re.MULTILINE):
        if "".join(target) not in targets:
            yield f"make {''.join(target)} is no target"
    for line in re.findall(r"^(?:\.venv/bin/)?syncer ([^\n#]+)", _fenced(source.text), re.MULTILINE):
        yield from _misspelt(line)
    for path in re.findall(r"`syncer((?: [a-z]+)+)", source.text):
        yield from _misspelt(f"{path} --help")


def _misspelt(line: str) -> Finding:
    try:
        application().parse_args(line.strip(), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        yield f"`syncer {line.strip()}`: {' '.join(str(error).split())}"


def _fenced(text: str) -> str:
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")


def _code(text: str) -> str:
    return _fenced(text) + "\n" + "\n".join(re.findall(r"`[^`\n]+`", text))


@dataclass(frozen=True)
class Rule:
    """where: which paths it holds for, a pattern. planted: texts that break it. excused: how a finding begins that is
    allowed, with the reason."""

    find: Callable[[Source], Finding]
    where: str
    planted: tuple[str, ...]
    excused: dict[str, str] = field(default_factory=dict)

    def found(self) -> list[str]:
        sources = [source for source in _sources() if re.fullmatch(self.where, source.path)]
        return [f"{source.path}: {what}" for source in sources for what in self.find(source)]


CODE = r"syncer/.*\.py"
TESTS = r"tests/.*\.py"
PAGES = r".*\.md"
SIMULATOR = "syncer/simulator/"
RULES = {
    "a function has at most 60 lines": Rule(long_functions, CODE, ("def long():\n" + "    x = 1\n" * 60,)),
    "a function takes at most 5 parameters": Rule(
        wide_functions,
        CODE,
        ("def wide(a, b, c, *, d, e, f): ...\n", "class A:\n    async def wide(self, a, b, c, d, *e, **f): ...\n"),
        {"syncer/cli/demo.py: demo ": "a command's options are its parameters"},
    ),
    "a file has at most 400 lines": Rule(long_files, CODE, ("x = 1\n" * 401,)),
    "a module says its role": Rule(roleless_modules, CODE, ("x = 1\n", "")),
    "a name says something": Rule(
        empty_names, CODE, ("class LeaseManagers: ...\n", "def _do_it(): ...\n", "async def event_data(): ...\n")
    ),
    "the time comes from tools.clock": Rule(
        read_clocks,
        CODE,
        ("at = datetime.datetime.now(UTC)\n", "at = time.time()\n", "from time import time\n", "on = date.today()\n"),
        {
            "syncer/sync/tools.py": "this is tools.clock",
            "syncer/cli/keys.py": "when a key was made is told in real time",
            "syncer/cli/probes.py": "`check` compares this machine's clock with the database's and Google's",
            "syncer/clients/google/auth.py": "signatures and tokens live in real time",
            "syncer/clients/google/errors.py": "a Retry-After that is a date is in real time",
            "syncer/clients/providers/webhook.py": "signatures and Retry-After are in real time",
            "syncer/simulator/clock.py": "this is the simulators' clock",
            "syncer/simulator/conferencing/changes.py": "signatures live in real time",
            "syncer/simulator/google/grants.py": "signatures and tokens live in real time",
        },
    ),
    "the time in SQL comes from syncer.clock()": Rule(
        sql_clocks,
        r"syncer/store/(queries|migrations)/.*\.sql",
        ("SELECT now ();\n", "SELECT CURRENT_TIMESTAMP;\n", "SELECT clock_timestamp();\n"),
        {
            "syncer/store/queries/overview.sql: SELECT clock_timestamp() AS real_at, ": "`check` compares",
            "syncer/store/migrations/0001_pre_first_light.sql: $$ SELECT clock_timestamp() + ": "syncer.clock() itself",
        },
    ),
    "only a guard catches everything": Rule(
        broad_excepts,
        CODE,
        ("try: ...\nexcept (OSError, Exception): ...\n", "def a():\n    try: ...\n    except: ...\n"),
        {
            "syncer/run/guard.py: guarded ": "the guard around one piece of work",
            "syncer/run/listening.py: _guarded ": "the guard around one call",
        },
    ),
    "tasks are born in few places": Rule(
        stray_tasks,
        CODE,
        ("from asyncio import create_task\n", "async def a():\n    async with asyncio.TaskGroup() as group: ...\n"),
        {
            "syncer/run/supervisor.py": "here",
            "syncer/clients/google/batch.py": "one look is many requests, which end with it",
            "syncer/clients/google/authorized.py": "and many tokens",
            SIMULATOR: "an application of its own",
        },
    ),
    "what others send is read with a limit": Rule(
        uncapped_reads, r"syncer/clients/.*\.py", ("async def body(answer): return await answer.read()\n",)
    ),
    "a statement says its purpose": Rule(
        purposeless_statements, r"syncer/store/queries/.*\.sql", ("-- name: all\nSELECT 1\n",)
    ),
    "tests wait for what they wait for": Rule(
        sleeps,
        TESTS,
        ("async def test(): await asyncio.sleep(1)\n", "from time import sleep\n"),
    ),
    "no path of one machine": Rule(machine_paths, r".*", ("see /" + "home/ana/notes\n", '"/' + 'root/x"\n')),
    "no registry is named": Rule(registries, r".*", ("from pypi" + ".org\n", "-" * 2 + "index-url x\n")),
    "every link leads somewhere": Rule(
        dead_links, PAGES, ("[there](nowhere.md)\n", '<img src="nowhere.svg">\n', "[there](#no-such-title)\n")
    ),
    "every setting that is named exists": Rule(
        unknown_settings, rf"{PAGES}|Makefile|{CODE}", (PREFIX + "DATABASE_ADDRESS\n",)
    ),
    "every test that is named exists": Rule(unknown_tests, PAGES, ("Held by `test_of_" + "nothing`.\n",)),
    "every command that is named exists": Rule(
        unknown_commands,
        PAGES,
        (
            "```sh\nsyncer tenant ad acme\n```\n",
            "```sh\nsyncer project add main \\\n  --per-hour 1\n```\n",
            "Run `syncer calendar forget`.\n",
            "Run `make tea`.\n",
            "```sh\nmake tea\n```\n",
        ),
    ),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_the_house_keeps_its_rule(rule: Rule) -> None:
    breaches = [breach for breach in rule.found() if not breach.startswith(tuple(rule.excused))]
    assert not breaches, "\n".join(["", *breaches])


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_planted_breach_is_found(rule: Rule) -> None:
    assert [text for text in rule.planted if not list(rule.find(Source("syncer/planted.py", text)))] == []


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_rule_has_something_to_look_at(rule: Rule) -> None:
    assert any(re.fullmatch(rule.where, source.path) for source in _sources())


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_an_excuse_is_still_needed(rule: Rule) -> None:
    found = rule.found()
    assert [excuse for excuse in rule.excused if not any(breach.startswith(excuse) for breach in found)] == []


def test_the_licence_is_the_one_that_is_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (project["license"], project["license-files"]) == ("Apache-2.0", ["LICENSE"])
    # The text as the Apache Software Foundation publishes it, to the byte.
    published = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    assert sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == published


def test_what_is_locked_is_locked_by_hash() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        pinned = re.findall(r"^([a-z0-9_.-]+)(.*)$", file.read_text("utf-8"), re.MULTILINE)
        assert pinned
        assert [name for name, rest in pinned if not re.match(r"(\[[\w,-]+\])?==[\w.]+( ;[^\\]+)? \\$", rest)] == []
